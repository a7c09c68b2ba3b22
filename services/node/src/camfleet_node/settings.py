"""The node's settings: read once from the environment, validated whole, never changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from camfleet.errors import RemoteProtocolError
from camfleet.keys import DEFAULT_BUNDLE
from camfleet.names import MAIN, MAX_STREAMS, check_name, check_streams
from camfleet_node.address import is_url, without_credentials
from camfleet_node.sources.synthetic import MIN_HEIGHT, MIN_WIDTH

PREFIX = "CAMFLEET_NODE_"
PLAIN_HUB = "tcp://127.0.0.1:5556"


class _Camera(BaseModel):
    """What every camera has, whatever its source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: int = Field(80, ge=1, le=100, description="JPEG quality.")


class SyntheticCamera(_Camera):
    """A moving test card with a time code that programs can read."""

    source: Literal["synthetic"]
    width: int = Field(640, ge=MIN_WIDTH, le=3840, description="Pixels.")
    height: int = Field(480, ge=MIN_HEIGHT, le=2160, description="Pixels.")
    fps: float = Field(30, gt=0, le=240, description="Pictures per second.")


class FileCamera(_Camera):
    """A video, a folder of pictures or one picture, over and over."""

    source: Literal["file"]
    path: Path = Field(description="The video, picture or folder.")
    fps: float | None = Field(
        None, gt=0, le=240, description="Pictures per second; by default the file's own."
    )


class OpenCVCamera(_Camera):
    """A V4L2 device or a stream by URL, through OpenCV."""

    source: Literal["opencv"]
    device: str = Field(description="Number or path of a device, or an http or rtsp URL.")
    width: int | None = Field(None, ge=16, le=8192, description="Pixels, asked of the device.")
    height: int | None = Field(None, ge=16, le=8192, description="Pixels, asked of the device.")
    fps: float | None = Field(None, gt=0, le=240, description="Rate, asked of the device.")

    @field_serializer("device", when_used="json")
    def _hide_credentials(self, device: str) -> str:
        """Show no password where settings are logged."""
        try:
            return without_credentials(device) if is_url(device) else device
        except ValueError:
            return "not a URL"


def _check_name(name: str) -> str:
    try:
        return check_name(name)
    except RemoteProtocolError as error:
        raise ValueError(str(error)) from error


Name = Annotated[str, AfterValidator(_check_name)]
CameraSettings = Annotated[
    SyntheticCamera | FileCamera | OpenCVCamera, Field(discriminator="source")
]


class NodeSettings(BaseSettings):
    """Every setting is a variable `CAMFLEET_NODE_` and the field's name in capitals.

    A camera is a group of variables, `CAMFLEET_NODE_CAMERAS__front__SOURCE=synthetic` and so
    on; or all of them are JSON in `CAMFLEET_NODE_CAMERAS`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    bundle: Path | None = Field(
        None,
        description="This node's keys, name and hub: the file that `camfleet-hub enrol NAME` "
        f"makes. By default `{DEFAULT_BUNDLE}`.",
    )
    plain: bool = Field(
        default=False,
        description="Send without keys and unencrypted, to a hub that is plain too. For a network "
        "that is trusted.",
    )
    name: Name | None = Field(
        None,
        description="This node's name; by default the bundle's, or the host's where PLAIN is set.",
    )
    hub: str | None = Field(
        None,
        description="The hub's address for nodes, for example `tcp://display:5556`; by default "
        f"the bundle's, or `{PLAIN_HUB}` where PLAIN is set.",
    )
    cameras: dict[Name, CameraSettings] = Field(
        min_length=1, max_length=MAX_STREAMS, description="Cameras by name."
    )
    stall_s: float = Field(
        10,
        ge=1,
        le=3600,
        description="Seconds without a picture after which a camera that hangs is reopened, or "
        "three of its usual intervals where that is longer. If it hangs again, the node ends "
        "with exit code 1, to be started anew.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )

    @field_validator("cameras")
    @classmethod
    def _check_together(cls, cameras: dict[str, CameraSettings]) -> dict[str, CameraSettings]:
        try:
            check_streams(f"{name}/{MAIN}" for name in cameras)
        except RemoteProtocolError as error:
            raise ValueError(str(error)) from error
        return cameras
