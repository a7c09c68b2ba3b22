"""The frame path from the hub to the glass in a real browser: sizes, acknowledgements, latency."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from prometheus_client.parser import text_string_to_metric_families
from tests.browser.fake_hub import FakeHub

if TYPE_CHECKING:
    from tests.browser.conftest import Wall

DEADLINE_S = 45.0
CAMERA = "garden/front"
CANVAS = f'.tile[data-camera="{CAMERA}"] canvas'
PAGE_LAYERS = 3  # the page itself, and what of it scrolls
SANE_S = 5.0  # not a measure of speed: more than that means that something is wrong


class Said:
    """What the page says to the hub."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.shows: list[list[dict[str, Any]]] = []
        self.painted: list[list[Any]] = []
        page.on("websocket", lambda socket: socket.on("framesent", self._take))

    def _take(self, text: str | bytes) -> None:
        message = json.loads(text)
        if message["type"] == "show":
            self.shows.append(message["tiles"])
        elif message["type"] == "painted":
            self.painted += message["frames"]

    @property
    def _last(self) -> list[dict[str, Any]]:
        return self.shows[-1] if self.shows else []

    def wait_shown(self, width: int, height: int) -> None:
        """Wait until the one tile is asked for at this size."""
        deadline = time.monotonic() + DEADLINE_S
        while [(one["width"], one["height"]) for one in self._last] != [(width, height)]:
            assert time.monotonic() < deadline, f"{self._last}, want {width} x {height}"
            self._page.wait_for_timeout(50)  # it lets the events in that are waited for


def size_of_picture(page: Page) -> tuple[int, int]:
    """The tile's box in CSS pixels, rounded as the page does."""
    box = page.locator(CANVAS).bounding_box()
    assert box is not None
    return 16 * -(-round(box["width"]) // 16), 16 * -(-round(box["height"]) // 16)


def wait_canvas(page: Page, width: int) -> None:
    """Wait until the picture on the canvas is so wide."""
    page.wait_for_function(
        "([canvas, width]) => document.querySelector(canvas)?.width === width",
        arg=[CANVAS, width],
    )


def scrape(wall: Wall) -> dict[str, float]:
    """What the hub tells of the camera's paintings."""
    with urllib.request.urlopen(f"{wall.url}metrics") as answer:  # noqa: S310 - our own hub
        text = answer.read().decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("camera") == "front"
        and sample.labels.get("stage", "painted") == "painted"
        and "le" not in sample.labels
    }


def test_a_tile_is_sent_at_the_size_it_is_shown_and_whole_on_the_stage(
    wall: Wall, page: Page
) -> None:
    said = Said(page)
    page.set_viewport_size({"width": 300, "height": 400})
    wall.start_node("garden")
    page.goto("/")
    wait_canvas(page, 320)  # the synthetic camera's 640, in four eighths
    said.wait_shown(*size_of_picture(page))
    page.locator(f'.tile[data-camera="{CAMERA}"] button.open').click()
    said.wait_shown(0, 0)
    wait_canvas(page, 640)
    page.keyboard.press("Escape")
    wait_canvas(page, 320)
    page.set_viewport_size({"width": 1000, "height": 800})
    wait_canvas(page, 640)
    said.wait_shown(*size_of_picture(page))


def test_a_small_tile_shows_the_preview_and_the_stage_the_main_stream(
    wall: Wall, page: Page
) -> None:
    page.set_viewport_size({"width": 320, "height": 400})
    wall.start_node("garden", preview_width=272)
    page.goto("/")
    wait_canvas(page, 272)
    page.locator(f'.tile[data-camera="{CAMERA}"] button.open').click()
    wait_canvas(page, 640)
    page.keyboard.press("Escape")
    wait_canvas(page, 272)


def test_the_hub_tells_the_latency_to_the_paint_with_its_uncertainty(
    wall: Wall, page: Page
) -> None:
    said = Said(page)
    wall.start_node("garden")
    page.goto("/")
    page.wait_for_function("(camera) => window.painted[camera] >= 30", arg=CAMERA)
    page.locator("#search").fill("no such camera")  # so the hub sends nothing more
    expect(page.locator("#none")).to_be_visible()
    deadline = time.monotonic() + DEADLINE_S
    while True:
        timed = sum(painted_ms is not None for _, _, painted_ms, _ in said.painted)
        told = scrape(wall)
        if told["camfleet_frames_painted_total"] == timed >= 20:
            break
        assert time.monotonic() < deadline, f"{timed} painted, the hub tells {told}"
        page.wait_for_timeout(50)
    assert told["camfleet_paintings_rejected_total"] == 0
    count = told["camfleet_latency_seconds_count"]
    assert 0 < count <= timed
    assert 0 < told["camfleet_latency_seconds_sum"] / count < SANE_S
    assert told["camfleet_painted_uncertainty_seconds_count"] == count
    assert 0 < told["camfleet_painted_uncertainty_seconds_sum"] / count < SANE_S


def test_a_page_without_a_decoder_for_bytes_paints_as_well(wall: Wall, page: Page) -> None:
    page.add_init_script("delete window.ImageDecoder;")  # as on a page without TLS
    wall.start_node("garden")
    page.goto("/")
    page.wait_for_function("(camera) => window.painted[camera] >= 5", arg=CAMERA)
    assert page.evaluate("typeof ImageDecoder") == "undefined"


READ = """async (bytes) => {
  const { parseFrames } = await import("/static/message.js");
  try {
    const frames = parseFrames(Uint8Array.from(bytes).buffer);
    return frames.map(({ tile, number, jpeg }) => [tile, number, Array.from(jpeg)]);
  } catch (error) {
    return error.name;
  }
}"""


def frame(tile: int, number: int, *jpeg: int) -> list[int]:
    head = [1, 1, *tile.to_bytes(2, "little"), *number.to_bytes(4, "little")]
    return [*head, *bytes(16), *jpeg]


def several(*frames: list[int]) -> list[int]:
    message = [1, 2, *len(frames).to_bytes(2, "little")]
    for one in frames:
        message += [*len(one).to_bytes(4, "little"), *one]
    return message


def test_the_page_reads_a_frame_alone_and_several_in_one_message(lone_page: Page) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(READ, frame(3, 70_000, 9, 8)) == [[3, 70_000, [9, 8]]]
    two = several(frame(0, 1, 5), frame(258, 2, 6, 7))
    assert lone_page.evaluate(READ, two) == [[0, 1, [5]], [258, 2, [6, 7]]]


@pytest.mark.parametrize(
    "message",
    [
        [],
        [1, 2],
        frame(0, 1),
        [2, *frame(0, 1, 5)[1:]],
        several(frame(0, 1, 5))[:-1],
        several(frame(0, 1, 5), frame(0, 2, 5))[:20],
        several(several(frame(0, 1, 5))),
        [1, 2, 1, 0, 255, 255, 255, 255, *frame(0, 1, 5)],
    ],
    ids=["empty", "head", "no-jpeg", "version", "short", "missing", "nested", "huge"],
)
def test_the_page_reads_nothing_else(lone_page: Page, message: list[int]) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(READ, message) in {"ProtocolError", "Error"}


def test_a_size_is_rounded_up_so_that_it_changes_seldom(lone_page: Page) -> None:
    lone_page.goto("/")
    found = lone_page.evaluate(
        """async () => {
          const { rounded } = await import("/static/sizes.js");
          return [[0, 1], [1, 1], [160, 1], [161, 1], [153, 2], [1e6, 3]].map((a) => rounded(...a));
        }"""
    )
    assert found == [0, 16, 160, 176, 320, 65535]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_captions_are_not_laid_over_the_pictures_again_at_each_paint(
    lone_page: Page, size: tuple[int, int]
) -> None:
    lone_page.set_viewport_size({"width": size[0], "height": size[1]})
    names = [f"node/cam{number:02}" for number in range(40)]
    FakeHub(lone_page, tuple(names))
    lone_page.goto("/")
    expect(lone_page.locator(".tile[data-state=online][data-painted]")).to_have_count(len(names))
    layers: list[dict[str, Any]] = []

    def take(told: dict[str, Any]) -> None:
        layers[:] = told.get("layers", layers)

    def drawn() -> tuple[int, int]:
        """How many layers are canvases, and how many others draw something."""
        shown = [layer for layer in layers if layer["drawsContent"]]
        nodes = [
            browser.send("DOM.describeNode", {"backendNodeId": layer["backendNodeId"]})["node"]
            for layer in shown
            if "backendNodeId" in layer
        ]
        canvases = sum(node["nodeName"] == "CANVAS" for node in nodes)
        return canvases, len(shown) - canvases

    browser = lone_page.context.new_cdp_session(lone_page)
    browser.on("LayerTree.layerTreeDidChange", take)
    browser.send("DOM.enable")
    browser.send("LayerTree.enable")
    deadline = time.monotonic() + DEADLINE_S
    while (found := drawn())[0] != len(names) or found[1] > PAGE_LAYERS:
        assert time.monotonic() < deadline, found
        lone_page.wait_for_timeout(50)
