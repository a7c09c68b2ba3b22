"""What a hub has to say to its peers, by connection; it is sent by whoever asks for it."""

from __future__ import annotations

from typing import Final, NoReturn

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import FrameHeader
from camfleet.payload import Payload
from camfleet.wire import Detection, Message, Refuse, decode, encode

_WITH_PAYLOAD: Final = (FrameHeader, Detection)


class Answers:
    """Collects messages as (identity, header part)."""

    def __init__(self) -> None:
        self._waiting: list[tuple[bytes, bytes]] = []

    def add(self, identity: bytes, message: Message) -> None:
        """Say something."""
        self._waiting.append((identity, encode(message)))

    def refuse(self, identity: bytes, reason: Reason, text: str) -> NoReturn:
        """Tell a peer why it is not served, and reject what it said.

        Raises:
            RemoteProtocolError: always.
        """
        self.add(identity, Refuse(reason, text))
        raise RemoteProtocolError(reason, text)

    def read(self, identity: bytes, header: bytes) -> Message:
        """Read a peer's message; one of another version is told so.

        Raises:
            RemoteProtocolError: when it cannot be read.
        """
        try:
            return decode(header)
        except RemoteProtocolError as error:
            if error.reason is Reason.VERSION:
                self.add(identity, Refuse(error.reason, str(error)))
            raise

    def drain(self) -> list[tuple[bytes, bytes]]:
        """Return all that is to be sent, and forget it."""
        waiting, self._waiting = self._waiting, []
        return waiting


def want_no_payload(message: Message, payload: Payload) -> None:
    """See that nothing but a frame or a detection has a payload.

    Raises:
        RemoteProtocolError: with reason `payload_size`.
    """
    if len(payload) and type(message) not in _WITH_PAYLOAD:
        raise RemoteProtocolError(
            Reason.PAYLOAD_SIZE,
            f"payload of {type(message).__name__} is {len(payload)} bytes, want none",
        )
