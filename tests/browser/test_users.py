"""Several users and TLS in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from camfleet_hub.users import set_password, set_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Console, Wall

PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of hubs that live for a test
NEW: Final = "another horse, another battery"
LOGIN: Final = re.compile(r"/login(\?|$)")
NO_WEBSOCKET: Final = "WebSocket connection to "  # it is refused, or the page goes meanwhile
READY_S: Final = 60
STOP_S: Final = 30


def log_in(page: Page, user: str) -> None:
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def test_a_viewer_sees_the_own_cameras_and_no_others(
    locked_wall: Wall, locked_page: Page, console: Console
) -> None:
    console.expected = ("404 (Not Found)",)
    set_user(locked_wall.state, "gardener", cameras=["garden/*"], password=PASSWORD)
    locked_wall.start_node("garden")
    locked_wall.start_node("house")
    locked_page.goto("/")
    log_in(locked_page, "admin")
    expect(locked_page.locator("#online")).to_have_text("2 of 2 online")
    locked_page.context.clear_cookies()
    locked_page.goto("/")
    log_in(locked_page, "gardener")
    expect(locked_page.locator("#online")).to_have_text("1 of 1 online")
    expect(locked_page.get_by_text("house")).to_have_count(0)
    answer = locked_page.goto("/snapshot/house/front.jpg")
    assert answer is not None
    assert answer.status == 404


def test_a_user_changes_the_own_password_and_others_notice_nothing(
    browser: Browser, locked_wall: Wall, locked_page: Page, console: Console
) -> None:
    console.expected = (NO_WEBSOCKET,)
    set_user(locked_wall.state, "gardener", password=PASSWORD)
    with (
        browser.new_context(base_url=locked_wall.url) as elsewhere,
        browser.new_context(base_url=locked_wall.url) as others,
    ):
        pages = {"gardener": elsewhere.new_page(), "admin": others.new_page()}
        for user, page in pages.items():
            page.goto("/")
            log_in(page, user)
            expect(page.locator("#link")).to_have_text("connected")
        locked_page.goto("/password")
        log_in(locked_page, "gardener")
        expect(locked_page.get_by_label("Current password")).to_be_focused()
        locked_page.keyboard.type(PASSWORD)
        for _ in range(2):
            locked_page.keyboard.press("Tab")
            locked_page.keyboard.type(NEW)
        locked_page.keyboard.press("Enter")
        expect(locked_page.locator("#link")).to_have_text("connected")
        expect(pages["gardener"]).to_have_url(LOGIN)
        expect(pages["admin"].locator("#link")).to_have_text("connected")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 640)])
def test_the_page_for_a_password_fits_its_screen_and_tells_what_is_wrong(
    locked_page: Page, tmp_path: Path, console: Console, width: int, height: int
) -> None:
    console.expected = ("422 (Unprocessable",)
    locked_page.set_viewport_size({"width": width, "height": height})
    locked_page.emulate_media(color_scheme="dark" if width < height else "light")
    locked_page.goto("/password")
    log_in(locked_page, "admin")
    for label, text in (("Current", PASSWORD), ("New password", NEW), ("once more", NEW[1:])):
        locked_page.get_by_label(label).first.fill(text)
    locked_page.keyboard.press("Enter")
    expect(locked_page.get_by_role("alert")).to_have_text("The two new passwords differ.")
    form = locked_page.locator("form").bounding_box()
    assert form is not None
    assert form["x"] >= 0
    assert form["x"] + form["width"] <= width
    assert form["y"] + form["height"] <= height
    folder = Path(os.environ.get("CAMFLEET_SCREENSHOTS", tmp_path))
    locked_page.screenshot(path=folder / f"password-{width}.png")


@contextmanager
def secure_hub(folder: Path, ports: list[int]) -> Iterator[str]:
    """A hub with a certificate of its own; give its address."""
    certificate, key = folder / "hub.pem", folder / "hub.key"
    files = ["-keyout", str(key), "-out", str(certificate), "-nodes", "-days", "2"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *files, "-subj", "/CN=localhost"],
        check=True,
        capture_output=True,
    )
    set_password(folder / "state", PASSWORD)
    names = ("WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "METRICS")
    settings = {
        f"CAMFLEET_HUB_{name}_PORT": str(port) for name, port in zip(names, ports, strict=True)
    } | {
        "CAMFLEET_HUB_STATE": str(folder / "state"),
        "CAMFLEET_HUB_TLS_CERTIFICATE": str(certificate),
        "CAMFLEET_HUB_TLS_KEY": str(key),
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    command = [sys.executable, "-m", "camfleet_hub"]
    with subprocess.Popen(command, env=inherited | settings, stdout=subprocess.PIPE) as hub:
        try:
            assert hub.stdout is not None
            assert any(b'"event": "ready"' in line for line in hub.stdout)
            yield f"https://127.0.0.1:{ports[0]}/"
        finally:
            hub.terminate()
            hub.communicate(timeout=STOP_S)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_under_tls_the_wall_connects_and_its_cookie_stays_within(
    browser: Browser, tmp_path: Path, hold_ports: Callable[[int], list[int]]
) -> None:
    with (
        secure_hub(tmp_path, hold_ports(5)) as url,
        browser.new_context(ignore_https_errors=True) as context,
    ):
        page = context.new_page()
        page.goto(url.replace("https:", "http:"))  # as a person types it
        expect(page).to_have_url(f"{url}login")
        log_in(page, "admin")
        expect(page.locator("#link")).to_have_text("connected")
        (cookie,) = context.cookies()
        assert cookie["name"] == "__Host-camfleet_session"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
