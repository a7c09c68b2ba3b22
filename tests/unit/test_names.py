from __future__ import annotations

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.names import check_name, check_streams


@pytest.mark.parametrize(
    "name",
    ["front", "a", "x" * 128, "ü" * 64, "vorne links", "cam.1", "...", "-", "猫", "a:b", "<b>"],
)
def test_a_printable_name_without_slashes_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("x" * 129, "has 129 characters"),
        ("ü" * 65, "has 65 characters"),
        ("x" * 10_000, "has 10000 characters"),
        ("../../x", "looks like a path"),
        ("a/b", "looks like a path"),
        ("a\\b", "looks like a path"),
        (".", "looks like a path"),
        ("..", "looks like a path"),
        ("a\nb", "has control characters"),
        ("a\0", "has control characters"),
        ("\x1b[31m", "has control characters"),
        ("a\u2028b", "has control characters"),
        ("a\u202eb", "has control characters"),
        ("\ud800", "has control characters"),
        (" a", "begins or ends with a space"),
        ("a ", "begins or ends with a space"),
    ],
)
def test_a_name_that_is_unsafe_anywhere_is_rejected(name: str, problem: str) -> None:
    with pytest.raises(RemoteProtocolError, match=problem) as caught:
        check_name(name)
    assert caught.value.reason is Reason.NAME


def test_a_huge_name_is_not_repeated_in_its_error() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_name("x" * 10_000)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        (["front"], Reason.NAME),
        (["/main"], Reason.NAME),
        (["front/"], Reason.NAME),
        (["front/main/x"], Reason.NAME),
        (["../main"], Reason.NAME),
        (["front/main", "front/main"], Reason.STREAM),
        ([f"{n}/main" for n in range(17)], Reason.TOO_MANY),
        ([f"{n}{'x' * 99}/main" for n in range(7)], Reason.TOO_MANY),
    ],
)
def test_streams_that_a_node_cannot_have_are_rejected(streams: list[str], reason: Reason) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_streams(streams)
    assert caught.value.reason is reason


def test_eight_cameras_in_two_profiles_are_taken() -> None:
    check_streams([f"camera {n}/{profile}" for n in range(8) for profile in ("main", "preview")])
