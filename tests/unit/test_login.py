"""Checks of passwords, in time that a test controls; over HTTP they are tested elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import Message

from camfleet.testing import FakeClock
from camfleet_hub.users import Users, set_password
from camfleet_hub.web.access import LOGIN, address_of, local_target
from camfleet_hub.web.limiter import Limiter, TooManyTriesError
from camfleet_hub.web.login import Login
from camfleet_hub.web.login_page import add_login

PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of a table that lives for a test
HOME: Final = "192.0.2.1"
DAY_S: Final = 86_400.0


class Door:
    """A log-in with its table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        set_password(folder, PASSWORD)
        self.clock = FakeClock()
        self.users = Users(folder)
        self.login = Login(self.users, monotonic_ns=self.clock.monotonic_ns)

    def change_password(self) -> None:
        """Change it, and have the hub see that."""
        set_password(self.folder, "another horse, another battery")
        self.login.forget(self.users.refresh())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path / "state")
    yield door
    door.login.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_a_cookie_is_good_until_it_was_idle_for_days(door: Door) -> None:
    async def test() -> None:
        cookie = await door.login.log_in("admin", PASSWORD, HOME)
        door.clock.advance(2.9 * DAY_S)
        assert door.login.browser(cookie)
        door.clock.advance(3.1 * DAY_S)
        assert door.login.browser(cookie) is None

    run(test)


def test_a_cookie_is_good_for_a_month_at_most(door: Door) -> None:
    async def test() -> None:
        cookie = await door.login.log_in("admin", PASSWORD, HOME)
        for _ in range(15):
            door.clock.advance(2 * DAY_S)
            assert door.login.browser(cookie)
        door.clock.advance(1)
        assert door.login.browser(cookie) is None

    run(test)


def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(door: Door) -> None:
    async def test() -> None:
        trying = asyncio.create_task(door.login.log_in("admin", PASSWORD, HOME))
        await asyncio.sleep(0)  # the check has begun
        door.change_password()
        assert await trying is None
        assert await door.login.program("admin", PASSWORD, HOME) is None

    run(test)


def test_a_password_that_is_changed_just_after_its_check_opens_nothing(door: Door) -> None:
    async def test() -> None:
        trying = asyncio.create_task(door.login.log_in("admin", PASSWORD, HOME))
        await asyncio.sleep(0)
        (check,) = asyncio.all_tasks() - {trying, asyncio.current_task()}
        check.add_done_callback(lambda _: door.change_password())
        assert await trying is None

    run(test)


def test_a_browser_that_hangs_up_within_its_form_is_no_error(door: Door) -> None:
    app = FastAPI()
    add_login(app, door.login)
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": LOGIN, "headers": headers}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def test() -> None:
        await app(scope | {"query_string": b""}, receive, send)

    run(test)
    assert sent[0]["status"] == 400


def test_who_changes_the_own_password_is_not_cut_off_by_it(door: Door) -> None:
    async def test() -> None:
        session = door.login.browser(await door.login.log_in("admin", PASSWORD, HOME))
        assert session is not None
        new = "another horse, another battery"
        changing = asyncio.create_task(door.login.change_password(session, PASSWORD, new, HOME))

        def cut() -> None:  # as for each request
            if asyncio.current_task() is not changing:
                changing.cancel()

        with session.holding(cut):
            while not changing.done():  # the table is looked at all the time
                door.login.follow()
                await asyncio.sleep(0)
        assert door.login.browser(await changing) is not None
        assert session.is_over

    run(test)


def test_who_hangs_up_while_a_password_is_checked_spoils_it_for_nobody(door: Door) -> None:
    async def test() -> None:
        impatient, patient = (
            asyncio.create_task(door.login.program("admin", PASSWORD, HOME)) for _ in range(2)
        )
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient is not None

    run(test)


def test_a_program_is_known_until_the_password_is_another(door: Door) -> None:
    async def test() -> None:
        session = await door.login.program("admin", PASSWORD, HOME)
        assert session is not None
        assert await door.login.program("admin", PASSWORD, HOME) is session
        door.change_password()
        assert session.is_over
        assert await door.login.program("admin", PASSWORD, HOME) is None

    run(test)


def test_the_right_password_takes_no_try(door: Door) -> None:
    async def test() -> None:
        for _ in range(30):
            assert await door.login.log_in("admin", PASSWORD, HOME)

    run(test)


def test_a_guess_too_many_is_not_looked_at(door: Door) -> None:
    async def test() -> None:
        for number in range(5):
            assert await door.login.log_in("admin", f"guess {number}", HOME) is None
        with pytest.raises(TooManyTriesError) as caught:
            await door.login.log_in("admin", PASSWORD, HOME)
        assert caught.value.wait_s == pytest.approx(10)
        assert door.login.failed == {"wrong": 5, "too_many": 1}
        assert await door.login.log_in("admin", PASSWORD, "192.0.2.2")
        door.clock.advance(10)
        assert await door.login.log_in("admin", PASSWORD, HOME)

    run(test)


def test_a_limiter_that_is_given_is_the_one_that_limits(door: Door) -> None:
    async def test() -> None:
        limiter = Limiter(burst=1, monotonic_ns=door.clock.monotonic_ns)
        with closing(Login(door.users, limiter=limiter)) as login:
            assert await login.log_in("admin", "guess 1", HOME) is None
            with pytest.raises(TooManyTriesError):
                await login.log_in("admin", "guess 2", HOME)

    run(test)


def test_name_and_password_are_not_run_together(door: Door) -> None:
    async def test() -> None:
        assert await door.login.program("admin", PASSWORD, HOME)
        assert await door.login.program(f"admin{PASSWORD[0]}", PASSWORD[1:], HOME) is None

    run(test)


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/?kiosk", "/mjpeg/pi/front?a=%2F%2Fb", "/a//b", "/@b:c"),
        *("/#garden/pond", "/?kiosk#garden/pond", "/#//evil.example", "/#a%20b"),
    ],
)
def test_a_path_of_the_hub_may_be_gone_to(target: str) -> None:
    assert local_target(target) == target


@pytest.mark.parametrize(
    "target", ["//evil.example#/", "#garden/pond", "/\\evil.example#", "/#" + "x" * 1024, "/#\n"]
)
def test_what_stands_behind_a_hash_leads_nowhere_else(target: str) -> None:
    assert local_target(target) == "/"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%\x1b[2J", "fe80::1"),
        ("192.0.2.1\x1b[2J", ""),
        ('"}\n{"event": "logged in"', ""),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_what_a_proxy_passes_on_is_an_ip_address_or_nothing(said: str, found: str) -> None:
    assert address_of(HTTPConnection({"type": "http", "client": (said, 1)})) == found


def test_who_has_no_address_has_an_empty_one() -> None:
    assert address_of(HTTPConnection({"type": "http", "client": None})) == ""
