"""Passwords: what a good one is, how one is made, and the hash that is kept in its place."""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import Type

from camfleet.errors import LocalProtocolError

HASH_PREFIX: Final = "$argon2id$"
MIN_PASSWORD: Final = 12  # characters
MAX_PASSWORD_BYTES: Final = 256
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 of them; no l, 1, o and 0
_GROUPS: Final = 5  # of four, so 100 bits
# RFC 9106's argon2id within OWASP's least memory, for a hub may have little: 20 to 100 ms each.
_hasher: Final = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)


def make_password() -> str:
    """Make a password of 100 bits that a person can type."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
    return "-".join(groups)


def check_password(password: str) -> None:
    """See that a password is good enough to be somebody's.

    Raises:
        LocalProtocolError: when it is too short or too long, or cannot be typed.
    """
    if not password.isprintable():
        raise LocalProtocolError("password has characters that cannot be printed, want none")
    if len(password) < MIN_PASSWORD:
        raise LocalProtocolError(
            f"password has {len(password)} characters, want {MIN_PASSWORD} or more"
        )
    size = len(password.encode())
    if size > MAX_PASSWORD_BYTES:
        raise LocalProtocolError(f"password has {size} bytes, want at most {MAX_PASSWORD_BYTES}")


def hash_password(password: str) -> str:
    """Hash a password with argon2id (RFC 9106); it takes tens of milliseconds."""
    return _hasher.hash(_normal(password))


def is_password(password: str, hashed: str) -> bool:
    """Whether it is the password that was hashed; it takes as long, and does not hold the GIL."""
    try:
        return _hasher.verify(hashed, _normal(password))
    except (VerificationError, ValueError):  # InvalidHashError, or a hash that is not ASCII
        return False


def _normal(password: str) -> bytes:
    """One form for what looks alike, whatever keyboard it came from (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")
