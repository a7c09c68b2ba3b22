"""Until when a certificate is valid, found by a handshake with ourselves; also where it is over."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h)


def expiry_s(context: ssl.SSLContext, certificate: Path) -> float | None:
    """Return the Unix time at which it is over; None where that cannot be found out.

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
        found = client.getpeercert()
    except (ssl.SSLError, OSError, ValueError):
        return None
    until = found.get("notAfter") if found else None
    return float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else None


def _go_on(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return
