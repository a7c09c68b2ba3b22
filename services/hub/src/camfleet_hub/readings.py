"""What the hub of this machine counts of each camera, read from its metrics: no login is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from camfleet.errors import LocalProtocolError
from camfleet_hub.health import loopback
from camfleet_hub.settings import HubSettings

TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_FIELDS: Final = {
    "camfleet_frames_captured_total": "captured",
    "camfleet_frames_received_total": "received",
    "camfleet_frames_lost_total": "lost",
    "camfleet_camera_online": "online",
    "camfleet_last_frame_timestamp_seconds": "newest_s",
}
_LATENCY: Final = {
    "camfleet_latency_seconds_sum": "latency_s",
    "camfleet_latency_seconds_count": "timed",
}
_STAGE: Final = "received"


@dataclass(frozen=True)
class Reading:
    """One camera's counters at one moment.

    Attributes:
        captured: pictures that the node captured.
        received: frames that arrived at the hub.
        lost: frames that were sent and never arrived.
        online: 1 while the camera is.
        newest_s: Unix time at which the last frame arrived; 0 before the first.
        latency_s: from capture to the hub, of all frames whose latency is known, together.
        timed: how many those are.
    """

    captured: float = 0
    received: float = 0
    lost: float = 0
    online: float = 0
    newest_s: float = 0
    latency_s: float = 0
    timed: float = 0


Readings = dict[tuple[str, str], Reading]


def read(settings: HubSettings) -> Readings:
    """Ask the hub that these settings are for; by node and camera.

    Raises:
        LocalProtocolError: when it does not answer.
    """
    host, port = loopback(settings.bind), settings.metrics_port
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read(_MOST_BYTES).decode()
    except (OSError, HTTPException, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LocalProtocolError(f"{host} port {port}: {why}, want a hub's metrics") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise LocalProtocolError(f"{host} port {port} answered {answer.status}, want 200")
    return parse(text)


def parse(text: str) -> Readings:
    """Take the readings out of metrics in Prometheus' text format.

    Raises:
        LocalProtocolError: for text that is none.
    """
    readings: Readings = {}
    try:
        for name, labels, value in _samples(text):
            field = _FIELDS.get(name)
            if field is None and labels.get("stage") == _STAGE:
                field = _LATENCY.get(name)
            if field is not None:
                key = labels["node"], labels["camera"]
                readings[key] = replace(readings.get(key, Reading()), **{field: value})
    except (ValueError, KeyError) as error:
        raise LocalProtocolError(f"the hub's metrics are no metrics: {error}") from error
    return readings


def _samples(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
