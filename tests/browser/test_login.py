"""The log-in in a real browser."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from camfleet_hub.users import set_password

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Console, Wall

PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of hubs that live for a test
LOGIN: Final = re.compile(r"/login(\?|$)")
# What a browser says on its console, whatever a page does.
AWAY: Final = ("net::ERR_CONNECTION_", "net::ERR_EMPTY_RESPONSE")  # also a hub in mid-stop
FORBIDDEN: Final = "403 (Forbidden)"
NO_WEBSOCKET: Final = "WebSocket connection to "  # it is refused, or the page goes meanwhile


def log_in(page: Page) -> None:
    """Type it in, as a person does who has no mouse."""
    expect(page.get_by_label("Name")).to_have_value("admin")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_text("connected")


@pytest.fixture
def entered(locked_page: Page) -> Page:
    """A page that has just logged in."""
    locked_page.goto("/")
    log_in(locked_page)
    return locked_page


def test_who_logs_in_by_keyboard_sees_the_wall(locked_wall: Wall, entered: Page) -> None:
    locked_wall.start_node("garden")
    expect(entered.locator("#online")).to_have_text("1 of 1 online")
    entered.wait_for_function("() => (window.painted['garden/front'] ?? 0) >= 5")
    assert entered.url == locked_wall.url


def test_the_log_in_leads_to_the_page_that_was_asked_for(
    locked_wall: Wall, locked_page: Page
) -> None:
    locked_page.goto("/?kiosk")
    expect(locked_page).to_have_url(LOGIN)
    log_in(locked_page)
    assert locked_page.url == f"{locked_wall.url}?kiosk"


def test_the_log_in_leads_to_the_camera_that_was_asked_for(
    locked_wall: Wall, locked_page: Page, console: Console
) -> None:
    console.expected = (FORBIDDEN,)
    locked_page.goto("/?kiosk#garden/front")
    expect(locked_page).to_have_url(LOGIN)
    locked_page.get_by_label("Password").fill("something else")
    locked_page.keyboard.press("Enter")
    expect(locked_page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    log_in(locked_page)
    assert locked_page.url == f"{locked_wall.url}?kiosk#garden/front"


def test_who_logs_out_must_log_in_again(locked_wall: Wall, entered: Page, console: Console) -> None:
    console.expected = (NO_WEBSOCKET,)  # the wall may ask once more before it goes
    entered.get_by_role("button", name="View").click()
    entered.get_by_role("button", name="Log out").click()
    expect(entered).to_have_url(LOGIN)
    entered.goto("/")
    expect(entered).to_have_url(LOGIN)
    entered.go_back()
    expect(entered.get_by_role("button", name="Log in")).to_be_visible()
    assert locked_wall.hub.process.poll() is None


def test_a_wrong_password_is_told_and_may_be_tried_again(
    locked_page: Page, console: Console
) -> None:
    console.expected = (FORBIDDEN,)
    locked_page.goto("/")
    expect(locked_page.get_by_label("Password")).to_be_focused()
    locked_page.keyboard.type("something else")
    locked_page.keyboard.press("Enter")
    expect(locked_page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(locked_page.get_by_label("Password")).to_have_value("")
    log_in(locked_page)


def test_a_wall_whose_hub_was_restarted_goes_on_without_a_log_in(
    locked_wall: Wall, entered: Page, console: Console
) -> None:
    console.expected = (*AWAY, NO_WEBSOCKET)
    locked_wall.hub.terminate()
    expect(entered.locator("#link")).to_have_text("reconnecting")
    locked_wall.start_hub()
    expect(entered.locator("#link")).to_have_text("connected")
    assert entered.url == locked_wall.url


def test_a_wall_goes_to_the_log_in_when_the_password_is_another(
    locked_wall: Wall, entered: Page, console: Console
) -> None:
    console.expected = (NO_WEBSOCKET,)
    set_password(locked_wall.state, "another horse, another battery")
    expect(entered).to_have_url(LOGIN)


def test_the_log_in_works_without_javascript(browser: Browser, locked_wall: Wall) -> None:
    with browser.new_context(base_url=locked_wall.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/api/nodes")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("body")).to_have_text('{"nodes":[],"after":null}')


def test_without_a_log_in_there_is_no_way_out(lone_page: Page) -> None:
    lone_page.goto("/")
    expect(lone_page.locator("#link")).to_have_text("connected")
    lone_page.get_by_role("button", name="View").click()
    expect(lone_page.get_by_role("button", name="Log out")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 640)])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_log_in_fits_its_screen(
    locked_page: Page, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    locked_page.set_viewport_size({"width": width, "height": height})
    locked_page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    locked_page.goto("/")
    form = locked_page.locator("form").bounding_box()
    assert form is not None
    assert form["x"] >= 0
    assert form["x"] + form["width"] <= width
    assert form["y"] + form["height"] <= height
    folder = Path(os.environ.get("CAMFLEET_SCREENSHOTS", tmp_path))
    locked_page.screenshot(path=folder / f"login-{width}-{scheme}.png")
