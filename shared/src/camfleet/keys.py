"""Key pairs of encrypted links (CURVE, ZeroMQ RFC 26), and the bundle that a peer gets its own in.

A secret key never stands in a log, a repr or an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import msgspec
import zmq
from zmq.utils import z85

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.names import check_name
from camfleet.private_file import read_private, write_private

DEFAULT_BUNDLE: Final = Path("~/.config/camfleet/bundle.json")
_MOST_BYTES: Final = 16_384
_KEY_CHARACTERS: Final = 40  # 32 bytes in Z85 (ZeroMQ RFC 32)


class Role(StrEnum):
    """What a key opens: the port for nodes, or that for subscribers."""

    NODE = "node"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True)
class KeyPair:
    """A public key and the secret one that belongs to it, each as 40 characters of Z85."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Make a new pair."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())

    @classmethod
    def of(cls, secret: str, public: str | None = None) -> Self:
        """The pair of a secret key; a public key beside it must belong to it.

        Raises:
            ValueError: for text that is no key, or that is another's.
        """
        derived = zmq.curve_public(check_key(secret).encode()).decode()
        if public not in {None, derived}:
            raise ValueError("the public key does not belong to the secret one")
        return cls(derived, secret)


def check_key(key: str) -> str:
    """Return `key` when it can be one.

    Raises:
        ValueError: saying what was found, but not the key, and what was wanted.
    """
    wanted = f"want {_KEY_CHARACTERS} characters of Z85"
    if len(key) != _KEY_CHARACTERS or not key.isascii():
        raise ValueError(f"a key has {len(key)} characters, {wanted}")
    if not set(key.encode()) <= set(z85.Z85CHARS):
        raise ValueError(f"a key has characters that are not of Z85, {wanted}")
    return key


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """A bundle as it stands in its file."""

    name: str
    role: Role
    address: str
    hub_key: str
    public_key: str
    secret_key: str


@dataclass(frozen=True)
class Bundle:
    """All that one peer needs to reach its hub, and to be known there.

    Attributes:
        name: under which it is enrolled.
        role: what it may do.
        address: the hub's, for example `tcp://display:5556`.
        hub_key: the hub's public key, by which the peer knows it.
        keys: the peer's own.
    """

    name: str
    role: Role
    address: str
    hub_key: str
    keys: KeyPair

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a bundle's file; `~` is the home.

        Raises:
            LocalProtocolError: naming the file, what was found and what was wanted.
        """
        path = Path(path).expanduser()
        content = read_private(path, _MOST_BYTES)
        try:
            file = msgspec.json.decode(content, type=_File)
            check_name(file.name)
            keys = KeyPair.of(file.secret_key, file.public_key)
            return cls(file.name, file.role, file.address, check_key(file.hub_key), keys)
        except (ValueError, RemoteProtocolError) as error:
            raise LocalProtocolError(f"{path} is not a bundle: {error}") from error

    @classmethod
    def find(cls, bundle: Self | Path | str | None, role: Role) -> Self:
        """Return the bundle that is meant: this one, that of a file, or the default one.

        Raises:
            LocalProtocolError: when it is not there or bad, or is another role's.
        """
        if bundle is None and not DEFAULT_BUNDLE.expanduser().exists():
            flag = "--subscriber " if role is Role.SUBSCRIBER else ""
            raise LocalProtocolError(
                f"there is no bundle of keys at {DEFAULT_BUNDLE}, nor was another named; want one, "
                f"made on the hub's machine by `camfleet-hub enrol {flag}NAME`, or plain=True on a "
                "network that is trusted"
            )
        if bundle is None or isinstance(bundle, (str, Path)):
            bundle = cls.read(bundle or DEFAULT_BUNDLE)
        if bundle.role is not role:
            raise LocalProtocolError(f"the bundle is a {bundle.role}'s, want a {role}'s")
        return bundle

    def write(self, path: Path, *, replace: bool = False) -> None:
        """Write a bundle's file, with mode 0600.

        Raises:
            LocalProtocolError: naming the file, when it is there or cannot be written.
        """
        write_private(path, self.json(), replace=replace)

    def json(self) -> bytes:
        """What stands in a bundle's file, the secret key included."""
        file = _File(
            self.name, self.role, self.address, self.hub_key, self.keys.public, self.keys.secret
        )
        return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
