"""When a certificate is valid, found by a handshake with ourselves; also where it is over."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, NamedTuple

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h)


class Validity(NamedTuple):
    """From when until when a certificate is valid, in Unix seconds."""

    begins_s: float
    expires_s: float


def validity(context: ssl.SSLContext, certificate: Path) -> Validity | None:
    """Return when it is valid; None where that cannot be found out.

    Args:
        context: of a server that has it.
        certificate: its file, which is all that is trusted.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        trusting.load_verify_locations(certificate)
        for end in (client, server, client):
            _go_on(end)
        found = client.getpeercert() or {}
        return Validity(_unix_s(found["notBefore"]), _unix_s(found["notAfter"]))
    except (OSError, ValueError, KeyError):  # of TLS too
        return None


def _unix_s(time: object) -> float:
    return float(ssl.cert_time_to_seconds(str(time)))


def _go_on(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return
