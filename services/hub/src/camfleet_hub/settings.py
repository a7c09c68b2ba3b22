"""The hub's settings: read once from the environment, validated whole, never changed."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import Field, IPvAnyAddress, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from camfleet.hub_link import WINDOW
from camfleet.payload import MAX_PAYLOAD_BYTES
from camfleet_hub.fleet import MAX_PICTURE_BYTES

Port = Annotated[int, Field(ge=1, le=65_535)]


class HubSettings(BaseSettings):
    """Every setting is a variable `CAMFLEET_HUB_` and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CAMFLEET_HUB_", frozen=True, extra="ignore")

    name: str = Field("camfleet", max_length=64, description="Shown on the wall.")
    bind: IPvAnyAddress = Field(
        IPv4Address("127.0.0.1"),
        description="Address that every port listens on; 0.0.0.0 for all. There is no login "
        "and no encryption yet: open it to trusted networks only.",
    )
    imagezmq_port: Port = Field(5555, description="Stock imagezmq senders (REQ).")
    nodes_port: Port = Field(5556, description="camfleet nodes.")
    web_port: Port = Field(8080, description="Wall, API, snapshots, MJPEG, health.")
    metrics_port: Port = Field(9101, description="Prometheus metrics.")
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Further names of the hub in a browser's address line, separated by commas, "
        "for example `wall.example.org`. Addresses, `localhost` and the machine's name are known.",
    )
    window: int = Field(WINDOW, ge=1, le=64, description="Frames of one stream in flight.")
    max_cameras: int = Field(
        512,
        ge=1,
        le=65_535,
        description="Cameras shown at once. A further one takes the place of that which has been "
        "offline longest, within seconds, or is rejected where none is.",
    )
    max_picture_bytes: int = Field(
        MAX_PICTURE_BYTES,
        ge=MAX_PAYLOAD_BYTES,
        description="Memory for the newest picture of every camera, all together; a picture that "
        "exceeds it is rejected. The default holds 512 JPEGs of 2 MB.",
    )
    quality: int = Field(80, ge=1, le=100, description="JPEG quality of pictures that arrive raw.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )

    @field_validator("hosts", mode="before")
    @classmethod
    def _split(cls, hosts: object) -> object:
        if isinstance(hosts, str):
            return tuple(host.strip() for host in hosts.split(",") if host.strip())
        return hosts
