"""TLS by the hub itself: its certificate, and who speaks something else, or ends nothing."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from camfleet.errors import LocalProtocolError
from camfleet_hub.web import server, tls_listener
from camfleet_hub.web.certificate import Certificate
from camfleet_hub.web.headers import SecurityHeaders
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.tls_only import TlsOnly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send
    from tests.integration.conftest import House, Until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates"),
]
TIMEOUT_S: Final = 30.0
PAGE: Final = "Accept: text/html\r\n"


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: Path
    key: Path


def make(folder: Path, name: str = "hub", *words: str) -> Pair:
    """Make a certificate for localhost."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(pair.key), "-out", str(pair.certificate), "-days", "30"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words = words or ("-nodes",)
    command = ["openssl", "req", "-x509", *key, *files, *subject, *words]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return pair


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(tmp_path_factory.mktemp("tls"))


# the files


def test_a_certificate_that_holds_has_no_problem(pair: Pair) -> None:
    assert Certificate(*pair).problem == ""


def test_until_when_a_certificate_holds_is_known(pair: Pair) -> None:
    expires_s = Certificate(*pair).expires_s
    assert expires_s is not None
    assert 29 < (expires_s - time.time()) / 86_400 <= 30


def test_a_certificate_that_is_over_is_told(tmp_path: Path, until: Until) -> None:
    over = make(tmp_path, "over")
    files = ["-in", str(over.certificate), "-signkey", str(over.key), "-out", str(over.certificate)]
    command = ["openssl", "x509", *files, "-days", "0"]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    until(lambda: "certificate has expired" in Certificate(*over).problem)


@pytest.mark.parametrize(("days", "says"), [(-30, "is not yet valid"), (0, "has expired")])
def test_a_certificate_is_judged_by_the_time_that_it_is_now(
    pair: Pair, days: int, says: str
) -> None:
    expires_s = Certificate(*pair).expires_s
    assert expires_s is not None
    now_s = expires_s + days * 86_400 - (days < 0)
    found = Certificate(*pair, now_s=lambda: now_s)
    assert found.problem == f"{pair.certificate}: certificate {says}"


def test_what_is_wrong_with_the_files_is_told(pair: Pair, tmp_path: Path) -> None:
    other = make(tmp_path, "other")
    locked = make(tmp_path, "locked", "-passout", "pass:secret")
    empty = tmp_path / "empty.pem"
    empty.touch()
    for certificate, key, says in (
        (tmp_path / "none.pem", pair.key, "cannot read .*none.pem: No such file"),
        (pair.certificate, tmp_path / "none.key", "cannot read .*none.key: No such file"),
        (pair.certificate, other.key, "other.key is not the key of .*hub.pem"),
        (empty, pair.key, "cannot use .*empty.pem"),
        (pair.key, pair.certificate, "cannot use"),
        (tmp_path, pair.key, "Is a directory"),
        (locked.certificate, locked.key, "the key is encrypted, want one that is not"),
    ):
        with pytest.raises(LocalProtocolError, match=says):
            Certificate(certificate, key)


def test_a_half_renewed_certificate_changes_nothing_and_a_whole_one_is_taken_up(
    tmp_path: Path,
) -> None:
    pair, new = make(tmp_path), make(tmp_path, "new")
    certificate = Certificate(*pair)
    assert not certificate.refresh()
    pair.certificate.write_bytes(new.certificate.read_bytes())
    with pytest.raises(LocalProtocolError, match="is not the key of"):
        certificate.refresh()
    assert not certificate.refresh()
    pair.key.write_bytes(new.key.read_bytes())
    assert certificate.refresh()


# the port


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that tells how it was asked."""
    if scope["type"] != "http":
        raise NotImplementedError
    request = Request(scope, receive)
    await PlainTextResponse(f"{scope['scheme']} {request.url.path}")(scope, receive, send)


class Door:
    """A server with a certificate."""

    def __init__(self, pair: Pair) -> None:
        self.certificate = Certificate(*pair)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        app = HostCheck(TlsOnly(SecurityHeaders(tell)))
        self.server = server.Server(app, self.listener, tls=self.certificate.context)

    async def connect(
        self, trusted: Path | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, plain or with a certificate that is trusted."""
        context = ssl.create_default_context(cafile=trusted) if trusted else None
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.open_connection("127.0.0.1", self.port, ssl=context)

    async def ask(self, trusted: Path | None, head: str = "", path: str = "/") -> str:
        reader, writer = await self.connect(trusted)
        text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n"
        writer.write(text.encode())
        async with asyncio.timeout(TIMEOUT_S):
            answer = (await reader.read()).decode()
        writer.close()
        return answer


@asynccontextmanager
async def serving(pair: Pair) -> AsyncIterator[Door]:
    door = Door(pair)
    task = asyncio.create_task(door.server.run_until_stopped())
    try:
        yield door
    finally:
        door.server.stop()
        await task


async def test_who_speaks_tls_is_served(pair: Pair) -> None:
    async with serving(pair) as door:
        assert (await door.ask(pair.certificate, path="/a")).endswith("https /a")


def test_who_speaks_less_than_tls_1_2_is_not_served(pair: Pair) -> None:
    assert Certificate(*pair).context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_program_that_speaks_plain_http_is_told_and_not_served(pair: Pair) -> None:
    async with serving(pair) as door:
        answer = await door.ask(None)
    assert answer.startswith("HTTP/1.1 400 ")
    assert answer.endswith("\r\n\r\nthis port speaks https, want https:// in place of http://")


async def test_a_person_who_types_plain_http_is_led_to_https(pair: Pair) -> None:
    async with serving(pair) as door:
        answer = await door.ask(None, PAGE, "/x?a=%2F")
    assert "\r\nlocation: https://localhost/x?a=%2F\r\n" in answer
    assert "\r\ncontent-security-policy: " in answer


@pytest.mark.parametrize("host", ["evil.example", "localhost:@evil.example", "localhost:80x"])
async def test_nobody_is_led_to_another_host(pair: Pair, host: str) -> None:
    async with serving(pair) as door:
        reader, writer = await door.connect()
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n{PAGE}\r\n".encode())
        async with asyncio.timeout(TIMEOUT_S):
            line = await reader.readline()
        writer.close()
    assert line == b"HTTP/1.1 421 Misdirected Request\r\n"


async def test_a_renewed_certificate_is_met_by_who_connects_next(tmp_path: Path) -> None:
    pair, new = make(tmp_path), make(tmp_path, "new")
    async with serving(pair) as door:
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(pair.certificate.read_bytes())
        reader, writer = await door.connect(trusted)
        pair.certificate.write_bytes(new.certificate.read_bytes())
        pair.key.write_bytes(new.key.read_bytes())
        assert door.certificate.refresh()
        assert (await door.ask(new.certificate)).endswith("https /")
        with pytest.raises(ssl.SSLCertVerificationError):
            await door.ask(trusted)
        writer.write(b"GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(TIMEOUT_S):
            assert (await reader.read()).endswith(b"https /b")
        writer.close()


@pytest.mark.parametrize(
    "said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16" + bytes(500), b"GET / HT"]
)
async def test_who_does_not_end_what_was_begun_is_cut_off(
    pair: Pair, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(pair) as door:
        with monkeypatch.context() as hasty:
            hasty.setattr(tls_listener, "HANDSHAKE_S", 0.2)
            hasty.setattr("camfleet_hub.web.connection.REQUEST_S", 0.2)
            reader, writer = await door.connect()
            writer.write(said)
            async with asyncio.timeout(TIMEOUT_S):
                with suppress(ConnectionResetError):
                    await reader.read()
            writer.close()
        assert (await door.ask(pair.certificate)).endswith("https /")


async def test_who_says_nothing_gives_way_to_who_does(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_listener, "MOST_GREETED", 8)
    async with serving(pair) as door:
        silent = [await door.connect() for _ in range(24)]
        assert (await door.ask(pair.certificate)).endswith("https /")
        async with asyncio.timeout(TIMEOUT_S):
            assert await silent[0][0].read() == b""
        for _, writer in silent:
            writer.close()


async def test_the_end_waits_for_nobody_who_is_in_a_handshake(pair: Pair) -> None:
    async with serving(pair) as door:
        _, writer = await door.connect()
        writer.write(b"\x16\x03")
        await door.ask(pair.certificate)
    writer.close()


# a hub as a process


def test_a_hub_with_a_certificate_serves_https_and_is_found_healthy(
    house: House, until: Until, pair: Pair
) -> None:
    settings = house.settings | {
        "CAMFLEET_HUB_TLS_CERTIFICATE": str(pair.certificate),
        "CAMFLEET_HUB_TLS_KEY": str(pair.key),
    }
    hub = house.run(["-m", "camfleet_hub"], settings, "hub")
    until(lambda: "ready" in hub.said(), hub.said)
    until(lambda: house.run(["-m", "camfleet_hub", "health"], settings, "h").process.wait(30) == 0)
    assert f"https://127.0.0.1:{house.ports['WEB']}/" in hub.said()
    answer = house.get("/healthz")
    assert answer.status == 400
    assert hub.stop()[0] == 0


def test_half_of_the_settings_is_refused(house: House, pair: Pair) -> None:
    settings = house.settings | {"CAMFLEET_HUB_TLS_KEY": str(pair.key)}
    hub = house.run(["-m", "camfleet_hub"], settings, "hub")
    assert hub.process.wait(TIMEOUT_S) == 2
    last = hub.said().splitlines()[-1]
    assert last.startswith("setting CAMFLEET_HUB_TLS_CERTIFICATE: found none, want ")


def test_a_certificate_that_cannot_be_used_ends_the_start(house: House, pair: Pair) -> None:
    settings = house.settings | {
        "CAMFLEET_HUB_TLS_CERTIFICATE": str(pair.certificate),
        "CAMFLEET_HUB_TLS_KEY": str(house.folder / "none.pem"),
    }
    hub = house.run(["-m", "camfleet_hub"], settings, "hub")
    assert hub.process.wait(TIMEOUT_S) == 2
    assert hub.said().splitlines()[-1].startswith("setting CAMFLEET_HUB_TLS_CERTIFICATE: cannot")
