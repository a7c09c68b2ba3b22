"""A wrong setting ends the program, naming its variable, what was found and what was wanted."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from camfleet.settings import load_settings
from camfleet_hub.settings import HubSettings
from camfleet_node.settings import NodeSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_settings import BaseSettings

    Load = Callable[..., str]

HUB = "CAMFLEET_HUB_"
NODE = "CAMFLEET_NODE_"
FRONT = f"{NODE}CAMERAS__front__"
SECRET = "rtsp://admin:hunter2@10.0.0.9/live?token=hunter3"  # noqa: S105 - the one to look for
SYNTHETIC = {f"{FRONT}SOURCE": "synthetic"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (HubSettings, NodeSettings):
        prefix = str(model.model_config.get("env_prefix"))
        for field in model.model_fields:
            monkeypatch.delenv(prefix + field.upper(), raising=False)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Load:
    """Load settings that are wrong; return what was said on stderr."""

    def load(model: type[BaseSettings], variables: dict[str, str]) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            load_settings(model)
        assert caught.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return load


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], NodeSettings]:
    def load(variables: dict[str, str]) -> NodeSettings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings(NodeSettings)

    return load


# settings that are right


def test_a_hub_needs_no_settings() -> None:
    assert load_settings(HubSettings).web_port == 8080


def test_addresses_and_patterns_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{HUB}IMAGEZMQ_PUBLISHERS", "tcp://rpi1:5555, tcp://[::1]:5555,")
    monkeypatch.setenv(f"{HUB}REPUBLISH", "garden/*,*/pond")
    settings = load_settings(HubSettings)
    assert settings.imagezmq_publishers == ("tcp://rpi1:5555", "tcp://[::1]:5555")
    assert settings.republish == ("garden/*", "*/pond")


def test_nothing_is_republished_by_default() -> None:
    settings = load_settings(HubSettings)
    assert (settings.republish, settings.imagezmq_bind.is_loopback) == ((), True)


def test_a_camera_is_a_group_of_variables(
    loaded: Callable[[dict[str, str]], NodeSettings],
) -> None:
    settings = loaded({**SYNTHETIC, f"{FRONT}FPS": "12.5"})
    assert settings.cameras["front"].model_dump()["fps"] == 12.5


def test_all_cameras_may_be_json(loaded: Callable[[dict[str, str]], NodeSettings]) -> None:
    cameras = {"Front Door": {"source": "file", "path": "/media/a.mp4"}}
    assert list(loaded({f"{NODE}CAMERAS": json.dumps(cameras)}).cameras) == ["Front Door"]


def test_what_is_logged_of_a_camera_has_no_credentials(
    loaded: Callable[[dict[str, str]], NodeSettings],
) -> None:
    settings = loaded({f"{FRONT}SOURCE": "opencv", f"{FRONT}DEVICE": SECRET})
    logged = json.dumps(settings.model_dump(mode="json"))
    assert "hunter" not in logged
    assert "rtsp://10.0.0.9/live" in logged


def test_the_camera_itself_gets_its_credentials(
    loaded: Callable[[dict[str, str]], NodeSettings],
) -> None:
    settings = loaded({f"{FRONT}SOURCE": "opencv", f"{FRONT}DEVICE": SECRET})
    assert settings.cameras["front"].model_dump()["device"] == SECRET


# settings that are wrong

WRONG: dict[str, tuple[type[BaseSettings], dict[str, str], list[str]]] = {
    "a port too high": (
        HubSettings,
        {f"{HUB}WEB_PORT": "65536"},
        [f"{HUB}WEB_PORT:", "'65536'", "want: less than or equal to 65535"],
    ),
    "port zero": (
        HubSettings,
        {f"{HUB}WEB_PORT": "0"},
        [f"{HUB}WEB_PORT:", "'0'", "want: greater than or equal to 1"],
    ),
    "a publisher without a scheme": (
        HubSettings,
        {f"{HUB}IMAGEZMQ_PUBLISHERS": "tcp://rpi1:5555, rpi2:5555"},
        [f"{HUB}IMAGEZMQ_PUBLISHERS:", "'rpi2:5555'", "want tcp://HOST:PORT"],
    ),
    "a pattern for nodes": (
        HubSettings,
        {f"{HUB}REPUBLISH": "garden"},
        [f"{HUB}REPUBLISH:", "'garden'", "want NODE/CAMERA"],
    ),
    "an unknown format": (
        HubSettings,
        {f"{HUB}REPUBLISH_FORMAT": "png"},
        [f"{HUB}REPUBLISH_FORMAT:", "'png'", "want: 'jpeg' or 'raw'"],
    ),
    "no frame per second": (
        HubSettings,
        {f"{HUB}REPUBLISH_FPS": "0"},
        [f"{HUB}REPUBLISH_FPS:", "'0'", "greater than 0"],
    ),
    "no number": (
        HubSettings,
        {f"{HUB}QUALITY": "best"},
        [f"{HUB}QUALITY:", "'best'", "want: a valid integer"],
    ),
    "an empty number": (HubSettings, {f"{HUB}WINDOW": ""}, [f"{HUB}WINDOW:", "''", "integer"]),
    "a host's name to bind": (
        HubSettings,
        {f"{HUB}BIND": "localhost"},
        [f"{HUB}BIND:", "'localhost'", "want: a valid IPv4 or IPv6 address"],
    ),
    "an unknown level": (
        HubSettings,
        {f"{HUB}LOG_LEVEL": "info"},
        [f"{HUB}LOG_LEVEL:", "'info'", "want: 'DEBUG', 'INFO'"],
    ),
    "too long a name": (HubSettings, {f"{HUB}NAME": "x" * 65}, [f"{HUB}NAME:", "at most 64"]),
    "no camera": (NodeSettings, {}, [f"{NODE}CAMERAS:", "found nothing"]),
    "cameras that are no JSON": (
        NodeSettings,
        {f"{NODE}CAMERAS": "front"},
        [f"{NODE}CAMERAS:", "found 5 characters", "want JSON"],
    ),
    "cameras that are a number": (
        NodeSettings,
        {f"{NODE}CAMERAS": "5"},
        [f"{NODE}CAMERAS:", "found 5", "want a group"],
    ),
    "no cameras in the JSON": (NodeSettings, {f"{NODE}CAMERAS": "{}"}, [f"{NODE}CAMERAS:", "1"]),
    "an unknown source": (
        NodeSettings,
        {f"{FRONT}SOURCE": "webcam"},
        [f"{FRONT}SOURCE:", "'webcam'", "'synthetic'", "'file'", "'picamera2'"],
    ),
    "no source": (NodeSettings, {f"{FRONT}WIDTH": "640"}, [f"{FRONT}SOURCE:", "found nothing"]),
    "a file without a path": (
        NodeSettings,
        {f"{FRONT}SOURCE": "file"},
        [f"{FRONT}PATH:", "found nothing"],
    ),
    "too narrow a picture": (
        NodeSettings,
        {**SYNTHETIC, f"{FRONT}WIDTH": "3"},
        [f"{FRONT}WIDTH:", "'3'", "greater than or equal to 160"],
    ),
    "no rate": (NodeSettings, {**SYNTHETIC, f"{FRONT}FPS": "nan"}, [f"{FRONT}FPS:", "nan"]),
    "a camera's name with a path": (
        NodeSettings,
        {f"{NODE}CAMERAS": '{"../etc": {"source": "synthetic"}}'},
        [f"{NODE}CAMERAS__../etc:", "no slashes"],
    ),
    "a node's name with a path": (
        NodeSettings,
        {**SYNTHETIC, f"{NODE}NAME": "a/b"},
        [f"{NODE}NAME:", "'a/b'", "no slashes"],
    ),
    "a node's name with a line break": (
        NodeSettings,
        {**SYNTHETIC, f"{NODE}NAME": "a\nb"},
        [f"{NODE}NAME:", r"'a\nb'", "printable"],
    ),
    "names too long together": (
        NodeSettings,
        {
            f"{NODE}CAMERAS": json.dumps(
                {f"{n}" + 100 * "x": {"source": "synthetic"} for n in range(9)}
            )
        },
        [f"{NODE}CAMERAS:", "9 streams", "want at most 16 with 640"],
    ),
    "too many cameras": (
        NodeSettings,
        {f"{NODE}CAMERAS": json.dumps({str(n): {"source": "synthetic"} for n in range(17)})},
        [f"{NODE}CAMERAS:", "at most 16"],
    ),
}


@pytest.mark.parametrize(("model", "variables", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_what_was_found_and_wanted(
    refused: Load, model: type[BaseSettings], variables: dict[str, str], says: list[str]
) -> None:
    line, end = refused(model, variables).split("\n")
    assert line.startswith("setting ")
    assert [part for part in says if part not in line] == []
    assert end == ""


def test_all_wrong_settings_are_told_at_once(refused: Load) -> None:
    said = refused(HubSettings, {f"{HUB}WEB_PORT": "x", f"{HUB}QUALITY": "0"})
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"setting {HUB}WEB_PORT",
        f"setting {HUB}QUALITY",
    ]


@pytest.mark.parametrize("other", [{}, {f"{FRONT}SOURCE": "webcam"}, {f"{FRONT}SOURCE": "file"}])
def test_a_password_beside_a_wrong_setting_is_not_shown(
    refused: Load, other: dict[str, str]
) -> None:
    assert "hunter" not in refused(NodeSettings, {f"{FRONT}DEVICE": SECRET, **other})


def test_a_password_in_too_many_cameras_is_not_shown(refused: Load) -> None:
    camera = {"source": "opencv", "device": SECRET}
    cameras = json.dumps({f"{n}" + 100 * "x": camera for n in range(9)})
    assert "hunter" not in refused(NodeSettings, {f"{NODE}CAMERAS": cameras})


def test_a_password_in_broken_json_is_not_shown(refused: Load) -> None:
    cameras = f'{{"front": {{"source": "opencv", "device": "{SECRET}"}}'
    assert "hunter" not in refused(NodeSettings, {f"{NODE}CAMERAS": cameras})


def test_an_endless_value_is_cut_short(refused: Load) -> None:
    assert len(refused(HubSettings, {f"{HUB}WINDOW": "9" * 10_000})) < 300


# variables that are misspelt

NESTED = {
    "a detector's number": (
        {f"{FRONT}MOTION__door__MIN_AREA": "x"},
        f"{FRONT}MOTION__door__MIN_AREA: found 'x', want: a valid number",
    ),
    "a detector's field that is misspelt": (
        {f"{FRONT}MOTION__door__MIN_AREAA": "1"},
        (
            f"{FRONT}MOTION__door__MIN_AREAA: there is no such setting, "
            f"want {FRONT}MOTION__door__MIN_AREA?"
        ),
    ),
    "a group that is misspelt": (
        {f"{FRONT}MOTIN__door__MIN_AREA": "1"},
        (
            f"{FRONT}MOTIN__door__MIN_AREA: there is no such setting, "
            f"want {FRONT}MOTION__door__MIN_AREA?"
        ),
    ),
    "a field in JSON that is misspelt": (
        {f"{FRONT}MOTION": '{"door": {"min_ara": 3}}'},
        (
            f"{FRONT}MOTION__door__MIN_ARA: there is no such setting, "
            f"want {FRONT}MOTION__door__MIN_AREA?"
        ),
    ),
    "a value where a group belongs": (
        {f"{FRONT}MOTION__door": "5"},
        f"{FRONT}MOTION__door: found 5, want a group: a variable for each field, or JSON",
    ),
    "a region's name with a path": (
        {f"{FRONT}MOTION__../x__MIN_AREA": "5"},
        (
            f"{FRONT}MOTION__../x: found '../x', "
            "want: name '../x' looks like a path, want no slashes and no dots alone"
        ),
    ),
    "too few values": (
        {f"{FRONT}CROP": "5,5"},
        f"{FRONT}CROP: found fewer values, want 4, separated by commas",
    ),
    "too many values": (
        {f"{FRONT}MOTION__door__REGION": "1,2,3,4,5"},
        f"{FRONT}MOTION__door__REGION: found more values, want 4, separated by commas",
    ),
    "a region that is no number": (
        {f"{FRONT}CROP": "a,5,9,3"},
        f"{FRONT}CROP: found 'a', want: a valid number",
    ),
    "another source's setting": (
        {f"{FRONT}EXPOSURE_US": "45"},
        f"{FRONT}EXPOSURE_US: found a value, want none where the source is synthetic",
    ),
    "broken JSON in a group": (
        {f"{FRONT}MOTION": '{"door":'},
        f"{FRONT}MOTION: found 8 characters that are no JSON, want JSON, or one variable per field",
    ),
    "one underscore too few": (
        {f"{NODE}CAMERAS_back__SOURCE": "synthetic"},
        f"{NODE}CAMERAS_back__SOURCE: there is no such setting, want {NODE}CAMERAS__back__SOURCE?",
    ),
    "a letter too few before a group": (
        {f"{NODE}CAMERA__back__SOURCE": "synthetic"},
        f"{NODE}CAMERA__back__SOURCE: there is no such setting, want {NODE}CAMERAS__back__SOURCE?",
    ),
    "a group below a value": (
        {f"{NODE}METRICS_PORT__x": "5"},
        f"{NODE}METRICS_PORT__x: there is no such setting, want {NODE}METRICS_PORT?",
    ),
}


@pytest.mark.parametrize(("variables", "says"), NESTED.values(), ids=NESTED)
def test_a_wrong_setting_in_a_group_is_named_as_it_is_written(
    refused: Load, variables: dict[str, str], says: str
) -> None:
    assert refused(NodeSettings, {**SYNTHETIC, **variables}) == f"setting {says}\n"


def test_what_no_member_of_a_union_takes_is_told_once(refused: Load) -> None:
    variables = {f"{FRONT}SOURCE": "picamera2", f"{FRONT}CONTROLS": '{"Sharpness": "abc"}'}
    [line] = refused(NodeSettings, variables).splitlines()
    assert line.startswith(f"setting {FRONT}CONTROLS__Sharpness: found 'abc', want: a valid ")
    assert "a valid boolean" in line


def test_a_setting_is_refused_where_nobody_hears_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{HUB}WINDOW", "x")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr("sys.stderr", full)
        with pytest.raises(SystemExit) as caught:
            load_settings(HubSettings)
        with contextlib.suppress(OSError):
            full.close()
    assert caught.value.code == 2


MISSPELT = {
    f"{HUB}WEBPORT": f"{HUB}WEB_PORT",
    f"{HUB}WEB_PROT": f"{HUB}WEB_PORT",
    f"{HUB}IMAGE_ZMQ_PORT": f"{HUB}IMAGEZMQ_PORT",
    f"{HUB}LOGLEVEL": f"{HUB}LOG_LEVEL",
    "camfleet_hub_bnid": f"{HUB}BIND",
}


@pytest.mark.parametrize(("wrong", "right"), MISSPELT.items())
def test_a_misspelt_variable_names_the_right_one(refused: Load, wrong: str, right: str) -> None:
    said = refused(HubSettings, {wrong: "1"})
    assert said == f"setting {wrong}: there is no such setting, want {right}?\n"


def test_a_variable_like_no_other_names_the_reference(refused: Load) -> None:
    assert "want one of the reference" in refused(HubSettings, {f"{HUB}ZZZZZZZZZZZZZZZ": "1"})


def test_a_misspelt_variable_of_a_camera_names_the_right_one(refused: Load) -> None:
    said = refused(NodeSettings, {**SYNTHETIC, f"{FRONT}WIDHT": "640"})
    assert said == f"setting {FRONT}WIDHT: there is no such setting, want {FRONT}WIDTH?\n"


def test_another_programs_variables_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMFLEET_NODE_WHATEVER", "1")
    monkeypatch.setenv("CAMFLEET", "1")
    assert load_settings(HubSettings).web_port == 8080
