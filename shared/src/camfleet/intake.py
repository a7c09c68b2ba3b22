"""What a hub takes of one node's detections: each once, and not faster than it can keep them."""

from __future__ import annotations

from typing import Final

from camfleet.allowance import Allowance
from camfleet.detection import check_detection
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import Payload
from camfleet.wire import Detection, DetectionCounters

# A node sends sixteen at once and ten a second; what a path held up for the ten seconds until
# its node is let go comes all at once.
BURST: Final = 128
A_SECOND: Final = 20


class Intake:
    """Checks detections. It stays a node's own when that comes again, whatever it says then."""

    def __init__(self) -> None:
        self._expected = 0
        self._allowance = Allowance(BURST, A_SECOND)

    def begin(self, counters: DetectionCounters) -> None:
        """Take a node's hello: the next one comes after those that it has sent."""
        self._expected = counters.sent

    def report(self, counters: DetectionCounters) -> None:
        """Take a heartbeat's counts: what it sent before has arrived, or never will."""
        self._expected = max(self._expected, counters.sent)

    def take(self, detection: Detection, picture: Payload, monotonic_ns: int) -> None:
        """See that a detection may be taken.

        Raises:
            RemoteProtocolError: with reason `no_credit` for one that came before, `rate`, or
                one of `check_detection`; its `detection` is the number that is not lost.
        """
        if detection.number < self._expected:
            text = f"detection {detection.number} came, want {self._expected} or a later one"
            raise RemoteProtocolError(Reason.NO_CREDIT, text)
        self._expected = detection.number + 1
        try:
            self._spend(monotonic_ns)
            check_detection(detection.region, detection.box, picture)
        except RemoteProtocolError as error:
            error.detection = detection.number
            raise

    def _spend(self, monotonic_ns: int) -> None:
        if not self._allowance.take(monotonic_ns):
            raise RemoteProtocolError(
                Reason.RATE,
                f"detections came faster than {BURST} at once and {A_SECOND} a second, want fewer",
            )
