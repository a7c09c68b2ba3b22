"""`docker compose up hub`, and with `--profile demo`: what a new user does first."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.browser.conftest import ARGUMENTS, BROWSERS
from tests.containers.conftest import Project, get, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

CAMERAS: Final = (
    "demo-garden/pond",
    "demo-gate/street",
    "demo-porch/lantern",
    "demo-workshop/lathe",
)
NODES: Final = tuple(camera.partition("/")[0] for camera in CAMERAS)
PAGE_MS: Final = 30_000
# Browsers count what was painted; a picture of an hour ago would be on the screen as well.
COUNT_PAINTED: Final = """
window.painted = {};
addEventListener("painted", ({ detail }) => {
  window.painted[detail.camera] = (window.painted[detail.camera] ?? 0) + 1;
});
"""


@pytest.fixture(scope="module")
def hub(project: Project) -> Project:
    """The hub alone, as `docker compose up hub` starts it."""
    project.check_health_every_second(["hub", *NODES])
    project("up", "--detach", "--no-build", "--wait", "hub")
    return project


@pytest.fixture(scope="module")
def demo(hub: Project) -> Project:
    hub("--profile=demo", "up", "--detach", "--no-build", "--wait", *NODES)
    return hub


@pytest.fixture
def page(demo: Project) -> Iterator[Page]:
    """The wall after the log-in with the password that stands in the hub's log."""
    wanted = os.environ.get("CAMFLEET_TEST_CHROMIUM")
    path = next(filter(None, map(shutil.which, [wanted] if wanted else BROWSERS)), None)
    if path is None:
        pytest.skip("found no browser, want Chromium: tests/install-chromium.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(base_url=demo.wall)
        page.set_default_timeout(PAGE_MS)
        page.add_init_script(COUNT_PAINTED)
        page.goto("/")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill(first_password(demo))
        page.get_by_role("button", name="Log in").click()
        yield page
        browser.close()


def first_password(project: Project) -> str:
    found = re.search(r'"password": "([^"]+)"', project.container("hub").log)
    assert found is not None, "no first password in the hub's log"
    return found[1]


def test_the_hub_alone_is_healthy_and_has_the_wall_behind_its_log_in(hub: Project) -> None:
    until(lambda: hub.container("hub").health == "healthy")
    assert until(lambda: get(f"{hub.wall}healthz")[0]) == 200
    assert until(lambda: get(hub.wall)[0]) == 401
    assert first_password(hub)


def test_the_demo_shows_four_tiles(page: Page) -> None:
    expect(page.locator("#online")).to_have_text("4 of 4 online", timeout=PAGE_MS)
    expect(page.locator(".tile")).to_have_count(4, timeout=PAGE_MS)
    page.wait_for_function(
        "(cameras) => cameras.every((camera) => (window.painted[camera] ?? 0) > 20)",
        arg=list(CAMERAS),
    )


def test_frames_make_the_demo_healthy(demo: Project) -> None:
    demo.wait_frames(CAMERAS)
    until(lambda: [demo.container(node).health for node in NODES] == ["healthy"] * 4)


def test_the_demos_second_enrolment_changes_nothing(demo: Project) -> None:
    before = enrolled(demo), bundles(demo)
    assert demo("run", "--rm", "--no-deps", "demo-enrol") == ""
    assert (enrolled(demo), bundles(demo)) == before


def test_the_demo_takes_no_name_that_is_enrolled_for_somebody_else(demo: Project) -> None:
    before = enrolled(demo)
    program = "mv /srv/handover/demo-garden.json /srv/handover/kept"
    in_handover(demo, program)
    try:
        with pytest.raises(AssertionError, match="'demo-garden' is enrolled already"):
            demo("run", "--rm", "--no-deps", "demo-enrol")
    finally:
        in_handover(demo, "mv /srv/handover/kept /srv/handover/demo-garden.json")
    assert enrolled(demo) == before


def test_a_hub_that_was_killed_comes_back_with_its_keys_and_all_cameras(demo: Project) -> None:
    before = enrolled(demo)
    demo("kill", "--signal=KILL", "hub")
    until(lambda: demo.container("demo-garden").health == "unhealthy")
    until(lambda: "hub" in demo.container("demo-garden").execute("camfleet-node", "health")[1])
    demo("start", "hub")
    demo.wait_frames(CAMERAS)
    until(lambda: demo.container("demo-garden").health == "healthy")
    assert enrolled(demo) == before


def test_a_node_that_was_killed_comes_back(demo: Project) -> None:
    demo("kill", "--signal=KILL", "demo-garden")
    demo("start", "demo-garden")
    demo.wait_frames(["demo-garden/pond"])


def test_a_node_whose_frames_do_not_flow_is_unhealthy(demo: Project) -> None:
    """The hub stands still, as one that hangs: its connections stay open."""
    demo("pause", "hub")
    try:
        until(lambda: demo.container("demo-garden").health == "unhealthy")
    finally:
        demo("unpause", "hub")
    until(lambda: demo.container("demo-garden").health == "healthy")


def test_the_state_outlives_the_containers(demo: Project) -> None:
    before = enrolled(demo)
    demo("--profile=demo", "down", "--timeout=5")
    demo("--profile=demo", "up", "--detach", "--no-build", "--wait", *NODES)
    demo.wait_frames(CAMERAS)
    assert enrolled(demo) == before
    assert "first password" not in demo.container("hub").log


def test_a_stop_by_compose_is_clean(demo: Project) -> None:
    demo("--profile=demo", "stop")
    codes = {name: demo.container(name).state["ExitCode"] for name in ("hub", *NODES)}
    assert codes == dict.fromkeys(("hub", *NODES), 0)


def enrolled(project: Project) -> str:
    """Names and keys, as the file has them."""
    _, text = project.container("hub").execute("cat", "/var/lib/camfleet/enrolled.json")
    assert json.loads(text)
    return text


def bundles(project: Project) -> str:
    return in_handover(project, "cd /srv/handover && ls -ln && sha256sum *.json")


def in_handover(project: Project, program: str) -> str:
    return project("run", "--rm", "--no-deps", "--entrypoint=sh", "demo-enrol", "-euc", program)
