"""What was rejected of late, by sender and in words for people at the wall. It reads no clock."""

from __future__ import annotations

from typing import Final, NamedTuple

from camfleet.errors import Reason, RemoteProtocolError

RECENT_NS: Final = 15_000_000_000  # a node that is turned away tries again within seconds
_MOST: Final = 64  # senders that are remembered; a wall lists no more
_MOST_TEXT: Final = 200
_WORDS: Final = {
    Reason.PARTS: "its messages are not camfleet's",
    Reason.MAGIC: "its messages are not camfleet's",
    Reason.VERSION: "it speaks another version of the protocol",
    Reason.KIND: "it sends what is not its to send",
    Reason.HEADER: "its messages cannot be read",
    Reason.HEADER_SIZE: "its messages cannot be read",
    Reason.PAYLOAD: "its pictures are damaged",
    Reason.PAYLOAD_SIZE: "its pictures are too large",
    Reason.SHAPE: "its pictures have no possible size",
    Reason.DTYPE: "its pictures have a format that is not known here",
    Reason.NOT_JPEG: "what it sends is no picture",
    Reason.NAME: "its name cannot be used",
    Reason.KEY: "its key is not one of this hub",
    Reason.UNKNOWN_PEER: "it has not said hello to this hub",
    Reason.STREAM: "it sends pictures of a camera that it did not announce",
    Reason.PATTERN: "it asks for cameras in a way that cannot be read",
    Reason.SESSION: "it was restarted, and has not said so yet",
    Reason.NO_CREDIT: "it sends more than it may",
    Reason.NAME_TAKEN: "another machine has its name",
    Reason.TOO_MANY: "this hub is full",
    Reason.RATE: "it sends too often",
    Reason.HEALTH: "what it says of its machine cannot be",
}


class RejectedMessage(NamedTuple):
    """The last message of a sender that was rejected.

    Attributes:
        node: empty for a stranger.
        camera: empty where it was about none, or nobody knows which.
        reason: in words that need no protocol.
        problem: what was found and wanted, as the log has it.
        at_ns: when, on a monotonic clock.
    """

    node: str
    camera: str
    reason: str
    problem: str
    at_ns: int

    def is_recent(self, now_ns: int) -> bool:
        """Whether it is still worth telling."""
        return now_ns - self.at_ns < RECENT_NS


class Rejections:
    """Those of senders that have no stream to tell it on. It is written under its fleet's lock."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], RejectedMessage] = {}

    def take(self, message: RejectedMessage) -> None:
        """Remember it as its sender's last."""
        sender = message.node, message.camera
        self._messages.pop(sender, None)
        while len(self._messages) >= _MOST:
            del self._messages[next(iter(self._messages))]
        self._messages[sender] = message

    def recent(self, now_ns: int) -> list[RejectedMessage]:
        """Those that are worth telling, by sender; on any thread."""
        return sorted(one for one in self._messages.copy().values() if one.is_recent(now_ns))


def describe(node: str, camera: str, error: RemoteProtocolError, at_ns: int) -> RejectedMessage:
    """Put in words why a message was rejected."""
    return RejectedMessage(node, camera, _WORDS[error.reason], str(error)[:_MOST_TEXT], at_ns)
