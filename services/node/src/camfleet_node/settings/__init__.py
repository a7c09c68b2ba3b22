"""The node's settings: read once from the environment, validated whole, never changed."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, IPvAnyAddress, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from camfleet.errors import RemoteProtocolError
from camfleet.keys import DEFAULT_BUNDLE
from camfleet.names import MAIN, MAX_STREAMS, PREVIEW, check_streams
from camfleet.settings import Unit
from camfleet_node.settings.camera import Name, Percent, Seconds
from camfleet_node.settings.sources import CameraSettings
from camfleet_node.watch_address import METRICS_BIND, METRICS_PORT

PREFIX = "CAMFLEET_NODE_"
PLAIN_HUB = "tcp://127.0.0.1:5556"


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
        examples=["/run/secrets/bundle.json"],
    )
    plain: bool = Field(
        default=False,
        description="Send without keys and unencrypted, to a hub that is plain too. For a network "
        "that is trusted.",
        examples=["true"],
    )
    name: Name | None = Field(
        None,
        description="This node's name; by default the bundle's, or the host's where PLAIN is set.",
        examples=["garden"],
    )
    hub: str | None = Field(
        None,
        description="The hub's address for nodes; by default the bundle's, or "
        f"`{PLAIN_HUB}` where PLAIN is set.",
        examples=["tcp://display:5556"],
    )
    cameras: dict[Name, CameraSettings] = Field(
        min_length=1,
        max_length=MAX_STREAMS,
        description="Cameras by name.",
        examples=['{"front": {"source": "picamera2"}}'],
    )
    stall_s: Seconds = Field(
        10,
        ge=1,
        le=3600,
        description="Without a picture, after which a camera that hangs is reopened, or three of "
        "its usual intervals where that is longer; at its start up to 40 s. If it hangs again, the "
        "node ends with exit code 1, to be started anew.",
        examples=["30"],
    )
    hot_c: Annotated[float, Unit("°C")] = Field(
        80,
        ge=40,
        le=120,
        description="Temperature of the processor from which on every other picture is left out, "
        "until it is 5 degrees cooler.",
        examples=["75"],
    )
    memory_share: Percent = Field(
        90,
        ge=10,
        le=100,
        description="Of the memory that it may use (its container's limit, or the machine's), "
        "from which on the node ends with exit code 1, to be started anew, before the kernel "
        "kills it or another.",
        examples=["80"],
    )
    system_root: Path = Field(
        Path("/"),
        description="Folder with the machine's `proc` and `sys`, where its heat, power, memory, "
        "load and Wi-Fi are read; another one where a container has the host's elsewhere.",
        examples=["/host"],
    )
    metrics_bind: IPvAnyAddress = Field(
        IPv4Address(METRICS_BIND),
        description="Address that metrics and health listen on; 0.0.0.0 for all.",
        examples=["0.0.0.0"],
    )
    metrics_port: int = Field(
        METRICS_PORT,
        ge=0,
        le=65_535,
        description="Metrics and health; 0 for none.",
        examples=["9103"],
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged.", examples=["DEBUG"]
    )

    @field_validator("cameras")
    @classmethod
    def _check_together(cls, cameras: dict[str, CameraSettings]) -> dict[str, CameraSettings]:
        try:
            check_streams(
                f"{name}/{profile}"
                for name, camera in cameras.items()
                for profile in ((MAIN, PREVIEW) if camera.preview_width else (MAIN,))
            )
        except RemoteProtocolError as error:
            raise ValueError(str(error)) from error
        return cameras
