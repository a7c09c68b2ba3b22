"""Answers what a camera asks before it lets anybody in: Basic and Digest. It sends nothing."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MOST_CHALLENGE: Final = 4096  # characters
# Without the \b it would look for an end from each letter of a long word, and hold the GIL.
_FIELDS: Final = re.compile(r'\b(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}


def best_of(challenges: Iterable[str]) -> str:
    """The challenge whose answer tells a listener least; where there is none, an empty one."""
    kinds = {"digest": 0, "basic": 1}
    return min(challenges, key=lambda one: kinds.get(_kind(one), len(kinds)), default="")


@dataclass(frozen=True, repr=False)
class Credentials:
    """A user and a password, which no text may show."""

    user: str
    password: str

    def answer(self, challenge: str, method: str, path: str, nonce: str) -> str:
        """Make the header `Authorization` for a challenge, the value of `WWW-Authenticate`.

        Args:
            challenge: of the camera.
            method: of the request.
            path: of the request, with its query.
            nonce: ours, never used before (RFC 7616, 3.3).

        Raises:
            ValueError: the camera wants another kind, or says too much.
        """
        if len(challenge) > _MOST_CHALLENGE:
            raise ValueError(
                f"asks for credentials in {len(challenge)} characters, want {_MOST_CHALLENGE}"
            )
        kind, _, rest = challenge.strip().partition(" ")
        if kind.lower() == "basic":
            return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        if kind.lower() == "digest":
            fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELDS.findall(rest)}
            return self._digest(fields, method, path, nonce)
        raise ValueError(f"asks for credentials by {kind[:20]!r}, want Basic or Digest")

    def _digest(self, fields: dict[str, str], method: str, path: str, nonce: str) -> str:
        """By RFC 7616, 3.4.1, and where the camera knows no `qop` by RFC 2069."""
        algorithm = fields.get("algorithm", "MD5").upper()
        if algorithm not in _HASHES:
            raise ValueError(f"asks for a digest by {algorithm[:20]!r}, want {', '.join(_HASHES)}")

        def digest(*texts: str) -> str:
            text = ":".join(texts).encode()
            return hashlib.new(_HASHES[algorithm], text, usedforsecurity=False).hexdigest()

        realm, theirs = fields.get("realm", ""), fields.get("nonce", "")
        who, what = digest(self.user, realm, self.password), digest(method, path)
        shown = {"username": self.user, "realm": realm, "nonce": theirs, "uri": path}
        bare = ""
        if "auth" in fields.get("qop", "").replace(" ", "").split(","):
            count = "00000001"
            shown["response"] = digest(who, theirs, count, nonce, "auth", what)
            shown["cnonce"] = nonce
            bare = f", qop=auth, nc={count}"
        else:
            shown["response"] = digest(who, theirs, what)
        if "opaque" in fields:
            shown["opaque"] = fields["opaque"]
        quoted = ", ".join(f'{name}="{_escape(value)}"' for name, value in shown.items())
        return f"Digest {quoted}, algorithm={algorithm}{bare}"


def _kind(challenge: str) -> str:
    return challenge.strip().partition(" ")[0].lower()


def _escape(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value.replace("\r", "").replace("\n", ""))
