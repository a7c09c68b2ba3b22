"""Puts a camera together out of its settings: streams, processing, detectors. It opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from camfleet.backoff import Backoff
from camfleet.names import PREVIEW
from camfleet.sender import Sender
from camfleet_node.camera import Camera
from camfleet_node.detectors import Detector, Light, Lookout, Motion
from camfleet_node.encoder import encode
from camfleet_node.processing import Caption, Processing, Turn
from camfleet_node.sending import Sending
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.sources import CameraSettings
from camfleet_node.sources import Source
from camfleet_node.starting import longest_start_s
from camfleet_node.stream import Stream


def build_camera(
    name: str,
    settings: CameraSettings,
    sender: Sender,
    opens: Callable[[], Source],
    backoff: Backoff,
) -> Camera:
    """Build a camera, which opens its source at once.

    Args:
        name: of the camera.
        settings: of the camera.
        sender: of all cameras.
        opens: opens its source.
        backoff: between two tries to open it.

    Raises:
        LocalProtocolError: for a bad name, or too many streams.
    """
    processing = plan(settings)
    detectors = build_detectors(settings, processing)
    outlet = sender.stream(name, asked_fps=settings.fps or 0.0)
    lookout = Lookout(name, outlet, detectors, processing) if detectors else None
    to_jpeg = partial(encode, quality=settings.quality)
    rules = settings.send, settings.send_every_s, settings.send_count
    streams = [Stream(name, outlet, Sending(*rules), processing, to_jpeg, detectors=lookout)]
    if settings.preview_width:
        outlet = sender.stream(name, PREVIEW)
        sending = Sending(*rules, only_wanted=True)
        small = processing.narrowed(settings.preview_width)
        streams.append(Stream(name, outlet, sending, small, to_jpeg, detectors=lookout))
    return Camera(
        name,
        streams,
        opens,
        backoff,
        lookout=lookout,
        interval_s=1 / settings.fps if settings.fps else 0.0,
        start_s=longest_start_s(settings),
    )


def plan(settings: CameraSettings) -> Processing:
    """What is done to a camera's pictures.

    A camera on the Pi's own connector flips and makes half turns by itself.
    """
    if isinstance(settings, Picamera2Camera):
        turn = Turn.of("none", settings.turn)
    else:
        turn = Turn.of(settings.flip, settings.rotate)
    regions = (*settings.motion.values(), *settings.light.values())
    has_caption = settings.text or settings.time
    return Processing(
        turn=turn,
        crop=settings.crop,
        width=settings.resize_width,
        blur=settings.blur,
        is_gray=settings.gray,
        caption=Caption(settings.text, settings.time) if has_caption else None,
        outlines=tuple(detector.region for detector in regions if detector.draw),
    )


def build_detectors(settings: CameraSettings, processing: Processing) -> list[Detector]:
    """A camera's detectors, each with its region in what the camera gives."""
    find = processing.find
    motion = [Motion(name, own, find(own.region)) for name, own in settings.motion.items()]
    light = [Light(name, own, find(own.region)) for name, own in settings.light.items()]
    return [*motion, *light]
