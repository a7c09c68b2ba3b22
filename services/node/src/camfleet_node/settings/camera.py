"""What every camera can be told, whatever its source: its picture, its detectors, when it sends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WrapSerializer,
    field_validator,
)
from pydantic_settings import NoDecode

from camfleet.errors import RemoteProtocolError
from camfleet.names import check_name
from camfleet.settings import Unit


def _check_name(name: str) -> str:
    try:
        return check_name(name)
    except RemoteProtocolError as error:
        raise ValueError(str(error)) from error


def _split_region(region: object) -> object:
    return region.split(",") if isinstance(region, str) else region


def _check_region(region: tuple[float, ...]) -> tuple[float, ...]:
    left, top, width, height = region
    ends = round(left + width, 6), round(top + height, 6)  # 70.1 and 29.9 are 100, almost
    is_inside = all(0 <= edge <= 100 for edge in (left, top, *ends))
    if not (is_inside and width > 0 and height > 0):
        raise ValueError("left, top, width and height in percent, inside the picture")
    return region


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable text")
    return text


Name = Annotated[str, AfterValidator(_check_name)]
Printable = Annotated[str, AfterValidator(_check_printable)]
Pixels = Annotated[int, Unit("px")]
Rate = Annotated[float, Unit("1/s")]
Percent = Annotated[float, Unit("%")]
Seconds = Annotated[float, Unit("s")]
Turn = Annotated[
    Literal[0, 90, 180, 270],
    Unit("degrees clockwise"),
    BeforeValidator(lambda turn: int(turn) if str(turn).isdecimal() else turn),
]
Region = Annotated[
    tuple[float, float, float, float],
    Unit("%: left,top,width,height"),
    NoDecode,  # or pydantic-settings would want JSON
    BeforeValidator(_split_region),
    AfterValidator(_check_region),
    WrapSerializer(lambda region, _: ",".join(f"{side:g}" for side in region), when_used="json"),
]
WHOLE = (0.0, 0.0, 100.0, 100.0)


class Group(BaseModel):
    """Settings that stand together under a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Detector(Group):
    """What detectors have in common: where they look."""

    region: Region = Field(
        WHOLE,
        description="Where it looks, in the picture after flip and turn and before the crop.",
        examples=["10,40,50,60"],
    )
    fps: Rate = Field(
        5, gt=0, le=60, description="Pictures per second that it looks at.", examples=["10"]
    )
    draw: bool = Field(
        default=False, description="Draw the region into the picture.", examples=["true"]
    )


class MotionSettings(Detector):
    """Tells `moving` when something moves in its region, and `still` when it has come to rest."""

    sensitivity: Percent = Field(
        90,
        ge=0,
        le=100,
        description="How little a pixel must change: at 100 by a single step of brightness, at 90 "
        "by a tenth of the whole range.",
        examples=["95"],
    )
    min_area: Percent = Field(
        1, gt=0, le=100, description="Part of the region that must move.", examples=["0.5"]
    )
    min_motion_frames: int = Field(
        3, ge=1, le=1000, description="So many in a row until it moves.", examples=["2"]
    )
    min_still_frames: int = Field(
        10, ge=1, le=10_000, description="So many in a row until it is still.", examples=["25"]
    )
    blur: int = Field(
        5,
        ge=0,
        le=99,
        description="Kernel against noise, in pixels of the detector's small picture; 0 for none.",
        examples=["9"],
    )


class LightSettings(Detector):
    """Tells `lighted` and `dark` when its region becomes bright or dark."""

    threshold: Percent = Field(
        25, ge=0, le=100, description="Brightness that counts as light.", examples=["40"]
    )
    min_area: Percent = Field(
        50, gt=0, le=100, description="Part of the region that must be so bright.", examples=["25"]
    )
    min_frames: int = Field(
        5, ge=1, le=10_000, description="So many in a row until it tells.", examples=["10"]
    )


class Camera(Group):
    """What every camera has, whatever its source."""

    quality: int = Field(80, ge=1, le=100, description="JPEG quality.", examples=["70"])
    preview_width: Pixels | None = Field(
        None,
        ge=64,
        le=1920,
        description="Width of a second, small stream (`preview`), for whoever has little room.",
        examples=["320"],
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirror the picture; `both` is upside down.", examples=["both"]
    )
    rotate: Turn = Field(0, description="Turn the picture.", examples=["90"])
    crop: Region = Field(
        WHOLE,
        description="Send this part alone of the picture after flip and turn.",
        examples=["25,0,50,100"],
    )
    resize_width: Pixels | None = Field(
        None, ge=16, le=8192, description="Scale to this width; by default not.", examples=["640"]
    )
    blur: Region | None = Field(
        None,
        description="Make this part unrecognisable, everywhere: of the picture after flip and turn "
        "and before the crop.",
        examples=["0,0,100,20"],
    )
    gray: bool = Field(default=False, description="Send no colours.", examples=["true"])
    text: Printable = Field(
        "", max_length=80, description="Written into the picture.", examples=["North gate"]
    )
    time: Printable = Field(
        "",
        max_length=40,
        description="Time of capture, written into the picture by this pattern of strftime, in "
        "the time zone that the variable `TZ` names, or else this machine's.",
        examples=["%Y-%m-%d %H:%M:%S %z"],
    )
    motion: dict[Name, MotionSettings] = Field(
        {}, max_length=8, description="Motion detectors by the name of their region."
    )
    light: dict[Name, LightSettings] = Field(
        {}, max_length=8, description="Light detectors by the name of their region."
    )
    send: Literal["always", "motion", "interval", "demand"] = Field(
        "always",
        description="When pictures are sent: all that somebody wants, and one a second when "
        "nobody does; only while something moves or when a detector tells a change; one each "
        "SEND_EVERY_S; or nothing that nobody asks for.",
        examples=["interval"],
    )
    send_every_s: Seconds = Field(
        60,
        ge=0.1,
        le=86_400,
        description="Between two pictures where SEND is `interval`, or `motion` and all is still.",
        examples=["10"],
    )
    send_count: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Pictures sent of each change that a detector tells, where SEND is `motion`; "
        "0 for one of each, and all while something moves.",
        examples=["5"],
    )

    @field_validator("send")
    @classmethod
    def _check_detectors(cls, send: str, others: ValidationInfo) -> str:
        if send == "motion" and not (others.data.get("motion") or others.data.get("light")):
            raise ValueError("a detector beside `motion`, such as MOTION__yard__MIN_AREA=1")
        return send
