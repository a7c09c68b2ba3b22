"""The hub's settings: read once from the environment, validated whole, never changed."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, IPvAnyAddress, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from camfleet.errors import RemoteProtocolError
from camfleet.pattern import parse_pattern
from camfleet.payload import MAX_PAYLOAD_BYTES
from camfleet.settings import Unit
from camfleet.window import MAX_WINDOW
from camfleet_hub.expiry import DAY_S
from camfleet_hub.pubsub import check_address
from camfleet_hub.room import MAX_PICTURE_BYTES

Port = Annotated[int, Field(ge=1, le=65_535)]


def _state_folder() -> Path:
    """Where a user's programs keep what outlives them (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local/state") / "camfleet"


def _io_threads() -> int:
    return min(4, len(os.sched_getaffinity(0)))


class HubSettings(BaseSettings):
    """Every setting is a variable `CAMFLEET_HUB_` and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CAMFLEET_HUB_", frozen=True, extra="ignore")

    name: str = Field(
        "camfleet", max_length=64, description="Shown on the wall.", examples=["Fleet at home"]
    )
    bind: IPvAnyAddress = Field(
        IPv4Address("127.0.0.1"),
        description="Address that the ports for nodes, browsers and metrics listen on; 0.0.0.0 "
        "for all. Browsers log in, but their link is encrypted only with TLS_CERTIFICATE, or "
        "behind a proxy for TLS.",
        examples=["0.0.0.0"],
    )
    state: Path = Field(
        default_factory=_state_folder,
        description="Folder that only the hub's user may enter: the hub's keys, who is "
        "enrolled, and who may log in or has a token.",
        examples=["/var/lib/camfleet"],
    )
    plain: bool = Field(
        default=False,
        description="Take nodes without keys, unencrypted, under whatever name they say. For a "
        "network that is trusted.",
        examples=["true"],
    )
    auth: Literal["password", "none"] = Field(
        "password",
        description="How browsers and programs that speak HTTP come in: by a "
        "user's password or a token, the administrator's first one standing in the log, or `none` "
        "for a closed network.",
        examples=["none"],
    )
    io_threads: int = Field(
        default_factory=_io_threads,
        ge=1,
        le=64,
        description="Threads over which connections and their encryption are spread.",
        examples=["2"],
    )
    imagezmq_port: Port = Field(
        5555, description="Stock imagezmq senders (REQ), on IMAGEZMQ_BIND.", examples=["5565"]
    )
    imagezmq_bind: IPvAnyAddress = Field(
        IPv4Address("127.0.0.1"),
        description="Address that the ports for imagezmq listen on; 0.0.0.0 for all. Stock "
        "imagezmq can neither encrypt nor log in, so this is a decision of its own: open it to "
        "trusted networks only.",
        examples=["0.0.0.0"],
    )
    imagezmq_publishers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses of stock imagezmq publishers (PUB), separated by commas, for "
        "example `tcp://rpi1:5555,tcp://rpi2:5555`. They need not be up.",
        examples=["tcp://rpi1:5555,tcp://rpi2:5555"],
    )
    republish: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Streams that stock imagezmq hubs (SUB) may read, by patterns separated by "
        "commas, for example `garden/*` or `*/*`. Without any the port stays closed.",
        examples=["garden/*,*/pond"],
    )
    republish_port: Port = Field(
        5558, description="Stock imagezmq hubs (SUB), on IMAGEZMQ_BIND.", examples=["5568"]
    )
    republish_format: Literal["jpeg", "raw"] = Field(
        "jpeg", description="For listeners that call `recv_jpg`, or `recv_image`.", examples=["raw"]
    )
    republish_fps: Annotated[float, Unit("1/s")] | None = Field(
        None,
        gt=0,
        le=240,
        description="Most frames per second of a republished stream; by default all. A stock "
        "listener that is slower than this falls behind by up to 1000 of its own messages.",
        examples=["5"],
    )
    nodes_port: Port = Field(5556, description="camfleet nodes.", examples=["5566"])
    subscribers_port: Port = Field(
        5557, description="Programs that read frames.", examples=["5567"]
    )
    web_port: Port = Field(
        8080, description="Wall, API, snapshots, MJPEG, health.", examples=["80"]
    )
    metrics_port: Port = Field(9101, description="Prometheus metrics.", examples=["9111"])
    metrics_expire_s: Annotated[float, Unit("s")] = Field(
        DAY_S,
        ge=60,
        description="So long after it was heard last a node, or a camera that its node has no "
        "more, keeps its metrics. That a node is offline is told as long as it is enrolled.",
        examples=["3600"],
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file with the certificate for the browsers' port, and those that signed "
        "it. With it the port speaks https alone. A renewed file is taken up by itself.",
        examples=["/etc/camfleet/tls/fullchain.pem"],
    )
    tls_key: Path | None = Field(
        None,
        description="PEM file with the key of TLS_CERTIFICATE, not encrypted.",
        examples=["/etc/camfleet/tls/privkey.pem"],
    )
    proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies, separated by commas, from which "
        "`X-Forwarded-For` and `X-Forwarded-Proto` are believed; from nobody else. Empty for none.",
        examples=["127.0.0.1,10.0.0.2,192.168.7.0/24"],
    )
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Further names of the hub in a browser's address line, separated by commas, "
        "for example `wall.example.org`. Addresses, `localhost` and the machine's name are known.",
        examples=["wall.example.org"],
    )
    window: Annotated[int, Unit("frames")] = Field(
        MAX_WINDOW,
        ge=1,
        le=64,
        description="Frames of one stream in flight at most; it follows the link below that.",
        examples=["8"],
    )
    max_cameras: int = Field(
        512,
        ge=1,
        le=65_535,
        description="Cameras shown at once. A further one takes the place of that which has been "
        "offline longest, within seconds, or is rejected where none is.",
        examples=["64"],
    )
    max_picture_bytes: Annotated[int, Unit("bytes")] = Field(
        MAX_PICTURE_BYTES,
        ge=MAX_PAYLOAD_BYTES,
        description="Memory for the newest picture of every camera, all together; a picture that "
        "exceeds it is rejected. The default holds 512 JPEGs of 2 MB.",
        examples=["268435456"],
    )
    quality: int = Field(
        80, ge=1, le=100, description="JPEG quality of pictures that arrive raw.", examples=["70"]
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged.", examples=["DEBUG"]
    )

    @field_validator("hosts", "imagezmq_publishers", "proxies", "republish", mode="before")
    @classmethod
    def _split(cls, items: object) -> object:
        if isinstance(items, str):
            return tuple(item.strip() for item in items.split(",") if item.strip())
        return items

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if ip_network(proxy).prefixlen == 0:  # whoever comes could pass for any other
                raise ValueError(f"found {proxy}, want addresses of proxies and not of everybody")
        return proxies

    @field_validator("imagezmq_publishers")
    @classmethod
    def _check_publishers(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(check_address, addresses))

    @field_validator("republish")
    @classmethod
    def _check_republish(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for pattern in patterns:
                parse_pattern(pattern)
        except RemoteProtocolError as error:
            raise ValueError(str(error)) from error
        return patterns
