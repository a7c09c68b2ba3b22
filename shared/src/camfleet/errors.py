"""What can go wrong between two peers. Foreign exceptions never pass the library's edge."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message was rejected: a small fixed set, because it becomes a metric's label."""

    PARTS = "parts"
    MAGIC = "magic"
    VERSION = "version"
    KIND = "kind"
    HEADER = "header"
    HEADER_SIZE = "header_size"
    PAYLOAD = "payload"
    PAYLOAD_SIZE = "payload_size"
    SHAPE = "shape"
    DTYPE = "dtype"
    NOT_JPEG = "not_jpeg"
    NAME = "name"
    KEY = "key"
    UNKNOWN_PEER = "unknown_peer"
    STREAM = "stream"
    PATTERN = "pattern"
    SESSION = "session"
    NO_CREDIT = "no_credit"
    NAME_TAKEN = "name_taken"
    TOO_MANY = "too_many"
    RATE = "rate"
    HEALTH = "health"


class CamfleetError(Exception):
    """Everything that this library raises on purpose."""


class LocalProtocolError(CamfleetError):
    """Our own side broke the protocol: a bug, so it fails loudly."""


class RemoteProtocolError(CamfleetError):
    """The peer broke the protocol: count it under its reason, drop the message, go on.

    Attributes:
        reason: from a small fixed set.
        stream: whose frame it was, as far as that is known; else empty.
        sent: the frame's number among those sent, where its stream is known; it is not lost.
        detection: the same of a detection.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.stream = ""
        self.sent: int | None = None
        self.detection: int | None = None
