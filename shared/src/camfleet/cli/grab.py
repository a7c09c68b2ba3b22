"""`camfleet grab`: one fresh picture of one camera, as a JPEG."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from camfleet.cli.hub import CommandError, add_hub, pattern, streams, subscribe
from camfleet.codec import encode_jpeg
from camfleet.delivered_frame import DeliveredFrame
from camfleet.payload import Payload
from camfleet.subscriber import Subscriber

_STDOUT: Final = "-"


def add_to(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command."""
    parser = commands.add_parser("grab", help="take one picture", description=__doc__)
    parser.add_argument("camera", type=_camera, metavar="NODE/CAMERA")
    parser.add_argument("-o", "--out", metavar="FILE", default=_STDOUT, help="stdout by default")
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write one picture that was taken from now on.

    Raises:
        CommandError: when there is no such stream, or no picture in time.
    """
    if options.out == _STDOUT and sys.stdout.isatty():
        raise CommandError("a terminal shows no JPEG, want -o FILE or a pipe")
    with subscribe(options, options.camera) as subscriber:
        jpeg = _jpeg(_take(subscriber, options.camera, options.timeout))
    if options.out == _STDOUT:
        sys.stdout.buffer.write(jpeg)
        sys.stdout.buffer.flush()
    else:
        Path(options.out).write_bytes(jpeg)


def _take(subscriber: Subscriber, camera: str, timeout_s: float) -> DeliveredFrame:
    found = streams(subscriber, timeout_s)
    if not found:
        raise CommandError(f"there is no camera {camera!r} at {subscriber.address}")
    frame = subscriber.take(timeout_s)
    if frame is None:
        why = subscriber.refusal or f"it is {found[0].liveness}"
        raise CommandError(f"camera {camera!r} has sent no picture within {timeout_s:g} s: {why}")
    return frame


def _jpeg(frame: DeliveredFrame) -> Payload:
    return frame.payload if frame.header.codec == "jpeg" else encode_jpeg(frame.image())


def _camera(text: str) -> str:
    if set(pattern(text)) & set("*?"):
        raise argparse.ArgumentTypeError(f"found {text!r}, want one camera, NODE/CAMERA")
    return text
