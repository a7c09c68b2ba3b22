"""What a program sends with: its pictures become frames of its cameras. No call of it waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from camfleet.backoff import Backoff
from camfleet.clock import Offset
from camfleet.closing import Closing
from camfleet.codec import Image, check_image, encode_jpeg
from camfleet.draft import Draft, check_extras
from camfleet.errors import CamfleetError, LocalProtocolError, RemoteProtocolError
from camfleet.frame import Metadata, Stages
from camfleet.keys import Bundle, Role
from camfleet.line import Line
from camfleet.machine_health import MachineHealth
from camfleet.names import MAIN
from camfleet.node_link import LinkState, NodeLink
from camfleet.outbox import Outbox, Outlet
from camfleet.payload import check_jpeg
from camfleet.wire import Box, Counters, DetectionCounters

_FIRST_HELLO_S: Final = 0.25
_MOST_HELLO_S: Final = 5.0

_Shape = tuple[int, ...]


class _Extras(NamedTuple):
    """What a program says beside its picture."""

    captured_ns: int
    label: str
    metadata: Metadata


class Sender(Closing):
    """Sends frames of any number of cameras to one hub.

    Connects, introduces itself and returns by itself after an interruption. No call waits
    for the network. Use it as a context manager, or call `close`.

    Args:
        address: the hub's, for example `tcp://hub:5556`; by default the bundle's.
        node: this node's name, 1 to 128 bytes of printable text; by default the bundle's.
        bundle: the keys of this node, or the path of their file, which `camfleet-hub enrol`
            makes; by default `~/.config/camfleet/bundle.json`.
        plain: send without keys and unencrypted, for a network that is trusted; then address
            and node must be given.
        quality: of the JPEGs that `send` makes, 1 to 100.
        software: name and version, for the hub's list of nodes.
        metrics_port: where other machines find this node's own metrics; 0 where they cannot.

    Attributes:
        address: the hub's.
        node: this node's name.

    Raises:
        LocalProtocolError: for a bad name or address, and for a bundle that is not there, bad
            or another node's.
    """

    def __init__(
        self,
        address: str | None = None,
        node: str | None = None,
        *,
        bundle: Bundle | Path | str | None = None,
        plain: bool = False,
        quality: int = 80,
        software: str = "camfleet",
        metrics_port: int = 0,
    ) -> None:
        keys = None if plain else Bundle.find(bundle, Role.NODE)
        if keys is not None:
            address = keys.address if address is None else address
            node = keys.name if node is None else node
            _check_bundle(keys, node)
        elif bundle is not None:
            raise LocalProtocolError("found a bundle and plain=True, want one of them")
        if address is None or node is None:
            raise LocalProtocolError("plain=True wants an address and a node beside it")
        self.address = address
        self.node = node
        backoff = Backoff(_FIRST_HELLO_S, _MOST_HELLO_S, random.random)
        link = NodeLink(node, random.getrandbits(63), backoff, software, metrics_port)
        self._quality = quality
        self._line = Line(address, keys)
        self._outbox = Outbox(link, self._line.wake)
        self._line.start(self._outbox, "camfleet-sender")

    def stream(self, camera: str, profile: str = MAIN, *, asked_fps: float = 0.0) -> Outlet:
        """Declare a camera's stream and return its way out.

        Args:
            camera: its name.
            profile: `main` or `preview`.
            asked_fps: pictures per second that the camera is to give, so that the hub can tell
                when it gives fewer; 0 where that is not known.

        Raises:
            LocalProtocolError: for a bad name or rate, or when there would be too many.
        """
        return self._outbox.declare(f"{camera}/{profile}", asked_fps)

    def send(
        self,
        camera: str,
        image: Image,
        *,
        label: str = "",
        metadata: Metadata | None = None,
        captured_ns: int | None = None,
    ) -> bool:
        """Send a picture as JPEG if the hub has room for it now.

        Args:
            camera: its name; the first use declares it.
            image: (height, width, 3) BGR or (height, width) gray, uint8.
            label: a text for whoever sees the picture.
            metadata: a small map for the programs that read it.
            captured_ns: start of exposure, Unix ns on this machine's clock; 0 for unknown; now
                by default.

        Returns:
            False when it was dropped, because the hub holds as many as it wants or is away.

        Raises:
            ValueError: for an image that is not a picture.
            LocalProtocolError: for a bad name, a negative time, or a label and metadata too
                large for a header.
        """

        def shape() -> _Shape:
            check_image(image)
            return image.shape

        extras = _extras(captured_ns, label, metadata)
        return self._send(camera, extras, shape, lambda: encode_jpeg(image, self._quality))

    def send_jpeg(
        self,
        camera: str,
        jpeg: bytes,
        *,
        label: str = "",
        metadata: Metadata | None = None,
        captured_ns: int | None = None,
    ) -> bool:
        """Send a picture that is a JPEG already; otherwise like `send`.

        Raises:
            ValueError: for bytes that are no JPEG.
        """

        def shape() -> _Shape:
            try:
                return (*check_jpeg(jpeg), 3)
            except RemoteProtocolError as error:  # of no peer: these bytes are our caller's
                raise ValueError(str(error)) from error

        return self._send(camera, _extras(captured_ns, label, metadata), shape, lambda: jpeg)

    def detect(
        self,
        camera: str,
        detector: str,
        state: str,
        *,
        region: str = "",
        captured_ns: int | None = None,
        box: Box = (),
        picture: bytes = b"",
    ) -> None:
        """Tell the hub that something was found in a camera's picture.

        Up to 64 detections wait while the hub is away; a further one pushes the oldest out.

        Args:
            camera: its name; the first use declares it.
            detector: which kind, 1 to 12 of `a` to `z` and `_`, for example `motion` or `gate`.
            state: what it found, likewise, for example `moving` or `open`.
            region: a name for the part of the picture, where there is one.
            captured_ns: of the picture that shows it, Unix ns on this machine's clock; now by
                default.
            box: where in the picture, as left, top, width and height in percent; or empty.
            picture: a small JPEG of at most 64 KiB and 2**20 pixels, or nothing.

        Raises:
            LocalProtocolError: for what the hub would reject.
        """
        outlet = self.stream(camera)
        outlet.detect(detector, state, region, captured_ns or 0, box, picture)

    def wait_online(self, timeout_s: float) -> bool:
        """Wait until the hub has welcomed this node; False after the timeout."""
        return self._outbox.wait_online(timeout_s)

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._outbox.state

    @property
    def is_alive(self) -> bool:
        """Whether the thread that sends is running: not after `close`, nor after a bug in it."""
        return self._line.is_alive

    @property
    def refusal(self) -> str:
        """Why there is no link, for a person: what is wrong with the keys, or the hub's word."""
        return self._outbox.refusal

    @property
    def clock(self) -> Offset | None:
        """The hub's clock minus this machine's, and how sure that is; None before it is known."""
        return self._outbox.clock(time.time_ns())

    def report(self, health: MachineHealth, restarts: Mapping[str, int] | None = None) -> None:
        """Tell the hub how this machine and its cameras do, with every heartbeat from now on.

        Args:
            health: of the machine.
            restarts: how often each camera was reopened because it hung, by its name; none where
                nobody counts that.

        Raises:
            LocalProtocolError: for values that no machine has.
        """
        self._outbox.report(health, restarts or {})

    def counters(self) -> tuple[Counters, ...]:
        """What was captured, sent and dropped on each stream in this session."""
        return self._outbox.counters()

    def detection_counters(self) -> DetectionCounters:
        """How many detections were sent in this session, and how many were dropped."""
        return self._outbox.detection_counters()

    def close(self) -> None:
        """Send what was taken, say goodbye and stop, within a second whatever the network does."""
        self._line.close()

    def _send(
        self,
        camera: str,
        extras: _Extras,
        check: Callable[[], _Shape],
        encode: Callable[[], bytes],
    ) -> bool:
        outlet = self.stream(camera)
        sequence = outlet.capture()
        try:
            shape = check()  # without a credit too, for a mistake is told always
            check_extras(*extras)
            if not outlet.wait_credit(0):
                outlet.drop("no_credit")
                return False
            begun_ns = time.time_ns()
            outlet.send(_draft(sequence, encode(), shape, extras, begun_ns))
        except (ValueError, CamfleetError):
            outlet.drop("unfit")
            raise
        return True


def _check_bundle(bundle: Bundle, node: str) -> None:
    if node != bundle.name:
        raise LocalProtocolError(
            f"node is {node!r} and its bundle is that of {bundle.name!r}, want the same name"
        )


def _extras(captured_ns: int | None, label: str, metadata: Metadata | None) -> _Extras:
    captured_ns = time.time_ns() if captured_ns is None else captured_ns
    return _Extras(captured_ns, label, metadata or {})


def _draft(sequence: int, jpeg: bytes, shape: _Shape, extras: _Extras, begun_ns: int) -> Draft:
    ready_ns = time.time_ns()
    age_ns = begun_ns - extras.captured_ns if extras.captured_ns else 0  # 0: nobody knows it
    return Draft(
        sequence=sequence,
        captured_ns=extras.captured_ns,
        ready_ns=ready_ns,
        payload=jpeg,
        codec="jpeg",
        shape=shape,
        stages=Stages(process_ns=max(0, age_ns), encode_ns=max(0, ready_ns - begun_ns)),
        label=extras.label,
        metadata=dict(extras.metadata),  # its own: the program may change its map meanwhile
    )
