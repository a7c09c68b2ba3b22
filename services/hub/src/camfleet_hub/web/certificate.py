"""The hub's certificate for TLS and its key, from files that are renewed while it runs."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import structlog

from camfleet.errors import LocalProtocolError
from camfleet_hub.web.certificate_time import validity

_LOOK_S: Final = 5.0
_Mark = tuple[tuple[int, int, int], ...]
_log = structlog.get_logger()


class Certificate:
    """A certificate with its chain, and its key; both PEM.

    Args:
        certificate: the file with the certificate, and those that it is signed by.
        key: the file with its key, not encrypted.
        now_s: Unix time, by which it is judged.

    Attributes:
        context: for servers. Who connects after a renewal meets the new certificate.

    Raises:
        LocalProtocolError: when a file cannot be read, or the two do not belong together.
    """

    def __init__(
        self, certificate: Path, key: Path, *, now_s: Callable[[], float] = time.time
    ) -> None:
        self._files = certificate, key
        self._now_s = now_s
        self._mark = self._look()
        self.context = self._load()
        self._validity = validity(self.context, certificate)

    @property
    def expires_s(self) -> float | None:
        """Unix time at which it is over; None where that cannot be found out."""
        return self._validity.expires_s if self._validity else None

    @property
    def problem(self) -> str:
        """What is wrong with its time now, for people; empty where nothing is."""
        if self._validity is None:  # what else it lacks is for browsers to judge
            return ""
        now_s, certificate = self._now_s(), self._files[0]
        if now_s >= self._validity.expires_s:
            return f"{certificate}: certificate has expired"
        if now_s < self._validity.begins_s:
            return f"{certificate}: certificate is not yet valid"
        return ""

    def refresh(self) -> bool:
        """Take the files up where they are others than before; return whether they were.

        Raises:
            LocalProtocolError: likewise; the certificate of before stays in force.
        """
        mark = self._look()
        if mark == self._mark:
            return False
        self._mark = mark
        renewed = self._load()  # as a trial: the one that is in use must never lack a key
        self._fill(self.context)
        self._validity = validity(renewed, self._files[0])
        return True

    async def follow(self) -> None:
        """Take up renewed files, and tell of what is wrong with them, for ever."""
        told = ""
        while True:
            try:
                if self.refresh():
                    _log.info("certificate renewed", file=str(self._files[0]))
                    self.warn()
                    told = ""
            except LocalProtocolError as error:
                problem = str(error)
                if problem != told:
                    _log.error("certificate cannot be renewed, the old one holds", problem=problem)
                told = problem
            await asyncio.sleep(_LOOK_S)

    def warn(self) -> None:
        """Say what is wrong with its time, where something is."""
        if self.problem:
            _log.warning("browsers will not trust the certificate", problem=self.problem)

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._fill(context)
        return context

    def _fill(self, context: ssl.SSLContext) -> None:
        """Load both files into a context."""
        certificate, key = self._files
        try:
            context.load_cert_chain(certificate, key, _refuse_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise LocalProtocolError(
                    f"{key} is not the key of {certificate}, want the one that it was made with"
                ) from error
            raise LocalProtocolError(
                f"cannot use {certificate} with {key}: {error.reason or error}, want PEM files"
            ) from error
        except OSError as error:
            raise LocalProtocolError(f"cannot read {certificate}: {error.strerror}") from error

    def _look(self) -> _Mark:
        marks = []
        for path in self._files:
            try:
                with path.open("rb"):  # its mode may let nobody read it
                    found = path.stat()
            except OSError as error:
                raise LocalProtocolError(f"cannot read {path}: {error.strerror}") from error
            marks.append((found.st_ino, found.st_mtime_ns, found.st_size))
        return tuple(marks)


def _refuse_password() -> NoReturn:
    raise LocalProtocolError("the key is encrypted, want one that is not, in a file of mode 0600")
