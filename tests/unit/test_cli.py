from __future__ import annotations

from collections.abc import Sequence

import pytest

from camfleet import cli
from camfleet.cli.bench import Tally, report
from camfleet.cli.view import table
from camfleet.delivered_frame import DeliveredFrame
from camfleet.frame import FrameHeader
from camfleet.wire import StreamState

MS = 1_000_000


def frame(latency_ms: float, *, uncertainty_ns: int = MS, skipped: int = 0) -> DeliveredFrame:
    header = FrameHeader("front/main", 1, 0, 0, 1, "raw", (1, 2), clock_uncertainty_ns=MS)
    delivered_ns = 1 + round(latency_ms * MS)
    return DeliveredFrame("pi", header, b"ab", 1, delivered_ns, uncertainty_ns, skipped)


def test_a_table_shows_what_is_known_of_each_stream() -> None:
    states = (
        StreamState("pi", "front/main", "online", 20.04, 3_140_000, 250_000, (120, 160, 3)),
        StreamState("garden", "pond/preview", "offline", 0.0),
    )
    assert table(states).splitlines() == [
        "STREAM               STATE    FPS   LATENCY       SIZE",
        "pi/front             online   20.0  3.1 ± 0.2 ms  160x120",
        "garden/pond/preview  offline  0.0",
    ]


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    shown = table((StreamState("\x1b]0;x\x07", "a\nb/main", "\x9b2J", 1.0),))
    assert shown.count("\n") == 2
    assert not set(shown) & set("\x1b\x07\x9b")


def test_a_report_has_percentiles_and_how_sure_they_are() -> None:
    tally = Tally()
    for number in range(1, 101):
        tally.add(frame(number, skipped=1))
    line = "10.0 fps, latency p50/p95/p99 50.0/95.0/99.0 ms ± 2.0, 99 skipped"
    assert report({"pi/front": tally}, 10.0) == f"pi/front: {line}\n"


def test_a_latency_that_nobody_knows_is_not_reported() -> None:
    tally = Tally()
    tally.add(frame(5, uncertainty_ns=-1))
    assert "latency unknown" in report({"pi/front": tally}, 1.0)


def test_a_benchmark_of_its_own_gets_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Sequence[str]] = []

    def fleet(words: Sequence[str]) -> int:
        heard.append(words)
        return 3

    monkeypatch.setitem(cli.BENCHES, "fleet", fleet)
    assert cli.main(["bench", "fleet", "--nodes", "9"]) == 3
    assert heard == [["--nodes", "9"]]


@pytest.mark.parametrize("words", [[], ["watch"], ["grab"], ["bench", "--seconds", "nan"]])
def test_wrong_use_is_told_apart_from_failure(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2


def test_a_failure_is_told_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["view", "--hub", "nonsense", "--plain"]
    assert cli.main(words) == 1
    assert capsys.readouterr().err == "camfleet: address is 'nonsense', want tcp://HOST:PORT\n"


def test_an_interruption_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_words: Sequence[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.BENCHES, "fleet", interrupted)
    assert cli.main(["bench", "fleet"]) == 130
    assert capsys.readouterr().err == ""
