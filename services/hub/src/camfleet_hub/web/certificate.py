"""The hub's certificate for TLS and its key, from files that are renewed while it runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final, NoReturn

import structlog

from camfleet.errors import LocalProtocolError
from camfleet_hub.web.certificate_time import expiry_s

_LOOK_S: Final = 5.0
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NOT_YET_VALID: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_MOST_ROUNDS: Final = 8  # of a handshake with ourselves; it takes three
_Mark = tuple[tuple[int, int, int], ...]
_log = structlog.get_logger()


class Certificate:
    """A certificate with its chain, and its key; both PEM.

    Args:
        certificate: the file with the certificate, and those that it is signed by.
        key: the file with its key, not encrypted.

    Attributes:
        context: for servers. Who connects after a renewal meets the new certificate.
        problem: what is wrong with its time, for people; empty where nothing is.
        expires_s: Unix time at which it is over; None where that cannot be found out.

    Raises:
        LocalProtocolError: when a file cannot be read, or the two do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._mark = self._look()
        self.context = self._load()
        self.problem = _problem(self.context, certificate)
        self.expires_s = expiry_s(self.context, certificate)

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
        certificate, key = self._files
        self.context.load_cert_chain(certificate, key, _refuse_password)
        self.problem = _problem(renewed, certificate)
        self.expires_s = expiry_s(renewed, certificate)
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
        certificate, key = self._files
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
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
        return context

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


def _problem(context: ssl.SSLContext, certificate: Path) -> str:
    """What is wrong with a certificate's time, found by a handshake with ourselves."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        trusting.load_verify_locations(certificate)
        _shake_hands(context, trusting)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
            return f"{certificate}: {error.verify_message}"
    except ssl.SSLError:  # what else it lacks is for browsers to judge
        return ""
    return ""


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(_MOST_ROUNDS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
