"""The wall in a real browser, fed by a real hub and real nodes."""

from __future__ import annotations

import base64
import json
import os
import re
import statistics
import struct
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import imagezmq
import numpy as np
import pytest
from playwright.sync_api import expect
from tests.browser.fake_hub import tile
from websockets.sync.client import ClientConnection, connect

from camfleet import timecode

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocket, WebSocketRoute
    from tests.browser.conftest import Console, Wall

NAMES = ("garden", "gate", "porch", "workshop")
CAMERAS = [f"{name}/front" for name in NAMES]
DEADLINE_S = 45.0
LEGIBLE = 4.5  # WCAG 2.2, 1.4.3
SANE_MS = 5000  # not a measure of speed: more than that means that something is wrong
FRAME = struct.Struct("<BBHIdd")
# A browser says so on its console, whatever a page does; it may also meet a hub in mid-stop.
AWAY = ("net::ERR_CONNECTION_", "net::ERR_EMPTY_RESPONSE", "WebSocket connection to ")


def wait_painted(page: Page, cameras: list[str], count: int) -> None:
    """Wait until each camera was painted so many times more."""
    page.wait_for_function(
        """([before, cameras, count]) => cameras.every(
             (camera) => (window.painted[camera] ?? 0) >= (before[camera] ?? 0) + count)""",
        arg=[page.evaluate("window.painted"), cameras, count],
    )


def frames_of(message: bytes) -> list[tuple[int, int]]:
    """Tile and number of each frame in one message."""
    if message[1] == 1:
        return [FRAME.unpack_from(message)[2:4]]
    found, at = [], 4
    while at < len(message):
        found.append(FRAME.unpack_from(message, at + 4)[2:4])
        at += 4 + int.from_bytes(message[at : at + 4], "little")
    return found


def read_code(sample: dict[str, Any]) -> float:
    """Unix ms, out of the pixels that the canvas showed."""
    png = base64.b64decode(sample["png"].partition(",")[2])
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    read_ns = timecode.read(np.asarray(image, np.uint8), time.time_ns())
    assert read_ns is not None, f"no time code in frame {sample['number']} of {sample['camera']}"
    return read_ns / 1e6


def test_four_cameras_are_painted_and_their_pixels_tell_the_latency_from_glass_to_glass(
    wall: Wall, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        wall.start_node(name)
    page.goto("/")
    expect(page.locator("#online")).to_have_text("4 of 4 online")
    wait_painted(page, CAMERAS, 20)
    page.evaluate("window.samplesWanted = 8")
    page.wait_for_function("() => window.samples.length >= 32")
    samples = page.evaluate("window.samples")
    assert Counter(sample["camera"] for sample in samples) == dict.fromkeys(CAMERAS, 8)
    latencies_ms = sorted(check_sample(sample) for sample in samples)
    with capsys.disabled():
        sys.stdout.write(describe(latencies_ms))
    assert latencies_ms[0] >= 0
    assert latencies_ms[-1] < SANE_MS


def check_sample(sample: dict[str, Any]) -> float:
    """See that pixels and header tell the same time; return how long ago it was when painted."""
    captured_ms = read_code(sample)
    # the header's is on the hub's clock, so it differs by what the node was unsure of
    assert abs(captured_ms - sample["capturedMs"]) <= max(1.0, sample["uncertaintyMs"])
    latency_ms: float = sample["nowMs"] - captured_ms
    return latency_ms


def describe(latencies_ms: list[float]) -> str:
    p95_ms = latencies_ms[int(0.95 * len(latencies_ms))]
    return (
        f"\nglass to glass, {len(latencies_ms)} frames of 4 cameras: min {latencies_ms[0]:.1f} ms,"
        f" median {statistics.median(latencies_ms):.1f} ms, p95 {p95_ms:.1f} ms\n"
    )


def test_the_tile_tells_rate_latency_with_its_uncertainty_and_age(wall: Wall, page: Page) -> None:
    wall.start_node("garden")
    page.goto("/")
    wait_painted(page, ["garden/front"], 1)
    garden = tile(page, "garden/front")
    expect(garden).to_have_attribute("data-state", "online")
    expect(garden.locator(".name")).to_have_text(re.compile(r"garden\s*/\s*front"))
    expect(garden.locator(".state")).to_have_text("online")
    expect(garden.locator(".fps")).to_have_text(re.compile(r"^[1-9][\d.]* fps$"))
    expect(garden.locator(".latency")).to_have_text(re.compile(r"^\d+ ± [\d.]+ ms$"))
    expect(garden.locator(".age")).to_have_text(re.compile(r"^\d+ m?s$"))
    size = garden.locator("canvas").evaluate("(canvas) => [canvas.width, canvas.height]")
    assert size == [640, 480]


def test_a_camera_that_hangs_is_shown_with_its_age_and_comes_back(wall: Wall, page: Page) -> None:
    node = wall.start_node("garden")
    wall.start_node("gate")
    page.goto("/")
    wait_painted(page, ["garden/front", "gate/front"], 5)
    garden = tile(page, "garden/front")
    node.pause()
    expect(garden).to_have_attribute("data-state", "stale")
    slate = garden.locator(".slate-text")
    expect(slate).to_have_text(re.compile(r"^last picture \d+ s ago$"))
    first = slate.inner_text()
    expect(slate).not_to_have_text(first)  # it counts up
    expect(garden).to_have_attribute("data-state", "offline")
    expect(garden.locator(".slate")).to_contain_text("offline")
    expect(page.locator("#online")).to_have_text("1 of 2 online")
    expect(tile(page, "gate/front")).to_have_attribute("data-state", "online")
    node.resume()
    expect(garden).to_have_attribute("data-state", "online")
    wait_painted(page, ["garden/front"], 5)


def test_the_page_outlives_a_restart_of_the_hub(wall: Wall, page: Page, console: Console) -> None:
    console.expected = AWAY
    wall.start_node("garden")
    page.goto("/")
    wait_painted(page, ["garden/front"], 5)
    page.evaluate("window.isSamePage = true")
    wall.hub.terminate()
    expect(page.locator("#link")).to_have_text("reconnecting")
    expect(page.locator("#countdown")).to_have_text(re.compile(r"^in \d+ s$"))
    expect(tile(page, "garden/front")).to_have_attribute("data-state", "unlinked")
    wall.start_hub()
    expect(page.locator("#link")).to_have_text("connected")
    wait_painted(page, ["garden/front"], 5)
    expect(tile(page, "garden/front")).to_have_attribute("data-state", "online")
    assert page.evaluate("window.isSamePage")


def test_a_name_with_markup_is_shown_as_text(wall: Wall, page: Page) -> None:
    name = "<b>x<img src=x onerror=alert(1)>"
    page.goto("/")
    with imagezmq.ImageSender(connect_to=wall.imagezmq_address) as sender:
        sender.send_image(name, np.full((120, 160, 3), 128, np.uint8))
    expect(page.locator(".tile .camera")).to_have_text(name)
    page.wait_for_function("(camera) => window.painted[camera]", arg=f"imagezmq/{name}")
    expect(page.locator(".tile b, .tile img")).to_have_count(0)


def test_a_sender_that_is_rejected_is_told_of_with_its_reason(wall: Wall, page: Page) -> None:
    page.goto("/")
    with imagezmq.ImageSender(connect_to=wall.imagezmq_address) as sender:
        broken = np.frombuffer(b"no picture at all", np.uint8)
        sender.send_jpg("gate", broken)
        told = page.locator("#empty .rejected-list li")
        expect(told).to_have_text(re.compile("^imagezmq: what it sends is no picture"))
        sender.send_image("gate", np.full((120, 160, 3), 128, np.uint8))
        page.wait_for_function("() => window.painted['imagezmq/gate']")
        sender.send_jpg("gate", broken)  # once more: it is told for some seconds only
    page.get_by_role("button", name="1 rejected").click()
    expect(page.locator("#rejected-menu li")).to_contain_text("what it sends is no picture")


def test_a_viewer_that_never_acknowledges_gets_one_frame_and_slows_nobody(
    wall: Wall, page: Page
) -> None:
    wall.start_node("garden")
    wall.start_node("gate")
    page.goto("/")
    shown = ["garden/front", "gate/front"]
    wait_painted(page, shown, 5)
    with connect(wall.socket_url) as viewer:
        tiles = [{"tile": number, "camera": camera} for number, camera in enumerate(shown)]
        viewer.send(json.dumps({"type": "show", "tiles": tiles}))
        received: Counter[int] = Counter()
        before = page.evaluate("window.painted")
        deadline = time.monotonic() + DEADLINE_S
        while not all(page.evaluate("window.painted")[c] >= before[c] + 60 for c in shown):
            assert time.monotonic() < deadline, "the browser was slowed down"
            received += frames_within(viewer, 0.2)
    assert received.total() == 1


def frames_within(viewer: ClientConnection, time_s: float) -> Counter[int]:
    """Count by tile the frames that come until nothing comes for some time."""
    frames: Counter[int] = Counter()
    while True:
        try:
            message = viewer.recv(timeout=time_s)
        except TimeoutError:
            return frames
        if isinstance(message, bytes):
            frames.update(tile for tile, _ in frames_of(message))


def test_every_frame_is_acknowledged_exactly_once(wall: Wall, page: Page) -> None:
    received: list[tuple[int, int]] = []
    acknowledged: list[tuple[int, int]] = []

    def take(payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            received.extend(frames_of(payload))

    def sent(payload: str | bytes) -> None:
        message = json.loads(payload)
        if message["type"] == "painted":
            acknowledged.extend((number, frame) for number, frame, *_ in message["frames"])

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", take)
        socket.on("framesent", sent)

    page.on("websocket", watch)
    for name in NAMES:
        wall.start_node(name)
    page.goto("/")
    wait_painted(page, CAMERAS, 20)
    page.locator("#search").fill("no such camera")  # so the hub sends nothing more
    expect(page.locator("#none")).to_be_visible()
    deadline = time.monotonic() + DEADLINE_S
    while sorted(received) != sorted(acknowledged):
        assert time.monotonic() < deadline, f"{len(received)} and {len(acknowledged)}"
        page.wait_for_timeout(50)  # it lets the events in that are waited for
    assert len(received) >= 80


def test_only_the_tiles_that_are_seen_are_asked_for(wall: Wall, page: Page) -> None:
    asked: list[list[str]] = []

    def sent(payload: str | bytes) -> None:
        message = json.loads(payload)
        if message["type"] == "show":
            asked.append([shown["camera"] for shown in message["tiles"]])

    page.on("websocket", lambda socket: socket.on("framesent", sent))
    for name in NAMES:
        wall.start_node(name)
    page.goto("/")
    expect(page.locator("#online")).to_have_text("4 of 4 online")
    wait_asked(page, asked, CAMERAS)
    page.locator("#search").fill("GA front")
    wait_asked(page, asked, ["garden/front", "gate/front"])
    page.locator("#search").fill("")
    tile(page, "porch/front").locator(".open").click()
    wait_asked(page, asked, ["porch/front"])
    page.keyboard.press("Escape")
    wait_asked(page, asked, CAMERAS)
    hide(page)
    wait_asked(page, asked, [])


def hide(page: Page) -> None:
    """As if another tab were in front; a browser without a window has none."""
    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { value: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )


def wait_asked(page: Page, asked: list[list[str]], cameras: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not asked or sorted(asked[-1]) != cameras:
        assert time.monotonic() < deadline, f"asked for {asked[-1:]}, want {cameras}"
        page.wait_for_timeout(50)  # it lets the events in that are waited for


def test_the_keyboard_reaches_every_tile_fullscreen_and_snapshot(wall: Wall, page: Page) -> None:
    for name in NAMES:
        wall.start_node(name)
    page.goto("/")
    wait_painted(page, CAMERAS, 1)
    page.locator("#view").focus()
    page.keyboard.press("Tab")
    expect(tile(page, "garden/front").locator(".open")).to_be_focused()
    page.keyboard.press("ArrowDown")  # of two columns
    expect(tile(page, "porch/front").locator(".open")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".staged")).to_have_attribute("data-camera", "porch/front")
    page.wait_for_function("() => document.fullscreenElement")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".staged")).to_have_attribute("data-camera", "workshop/front")
    with page.expect_download() as download:
        page.keyboard.press("s")
    saved = cv2.imread(str(download.value.path()))
    assert saved is not None
    assert saved.shape == (480, 640, 3)
    page.keyboard.press("Escape")
    expect(page.locator(".staged")).to_have_count(0)
    page.wait_for_function("() => !document.fullscreenElement")
    expect(tile(page, "workshop/front").locator(".open")).to_be_focused()


def test_an_empty_fleet_is_told_where_to_send(wall: Wall, page: Page) -> None:
    page.goto("/")
    expect(page.locator("#empty")).to_contain_text(wall.nodes_address)
    expect(page.locator("#empty")).to_contain_text(wall.imagezmq_address)
    wall.start_node("garden")
    wait_painted(page, ["garden/front"], 1)
    expect(page.locator("#empty")).to_be_hidden()


CAMERA = {
    "id": "garden/front",
    "node": "garden",
    "camera": "front",
    "state": "online",
    "fps": 0.0,
    "latency_ms": None,
    "uncertainty_ms": None,
    "age_ms": None,
    "width": None,
    "height": None,
}


def answer(route: WebSocketRoute, camera: dict[str, Any], frame: bytes = b"") -> None:
    """Be a hub with one camera; send one frame as soon as it is asked for."""
    route.send(json.dumps({"type": "fleet", "hub": "test", "cameras": [CAMERA | camera]}))

    def take(text: str | bytes) -> None:
        message = json.loads(text)
        if message["type"] == "show" and message["tiles"] and frame:
            route.send(FRAME.pack(1, 1, message["tiles"][0]["tile"], 7, 0.0, -1.0) + frame)
        if message["type"] == "painted":
            route.send(json.dumps({"type": "error", "message": str(message["frames"])}))

    route.on_message(take)


@pytest.mark.parametrize(
    ("camera", "state", "slate"),
    [
        ({}, "waiting", r"^\s*waiting for the first picture$"),
        ({"state": "offline"}, "offline", r"^offline\s+no picture yet$"),
        ({"state": "stale", "age_ms": 65_000}, "stale", r"^\s*last picture 1 min ago$"),
        ({"state": "offline", "age_ms": 7.3e6}, "offline", r"^offline\s+last picture 2 h ago$"),
        (
            {"state": "offline", "age_ms": 9e4, "gone": {"reason": "silent", "detail": "silence"}},
            "offline",
            r"^offline\s+last picture 1 min ago$",
        ),
        (
            {"state": "offline", "age_ms": 9e4, "gone": {"reason": "revoked", "detail": "no key"}},
            "offline",
            r"^offline\s+last picture 1 min ago; no key$",
        ),
    ],
    ids=["never", "never-and-gone", "stale", "gone", "silent", "revoked"],
)
def test_a_tile_without_a_new_picture_says_why(
    lone_page: Page, camera: dict[str, Any], state: str, slate: str
) -> None:
    lone_page.route_web_socket("**/ws/wall", lambda route: answer(route, camera))
    lone_page.goto("/")
    expect(tile(lone_page, "garden/front")).to_have_attribute("data-state", state)
    expect(lone_page.locator(".slate")).to_have_text(re.compile(slate))
    expect(lone_page.locator(".slate")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_tile_tells_what_its_detectors_find_and_nothing_moves(
    lone_page: Page, scheme: Literal["dark", "light"]
) -> None:
    lone_page.emulate_media(color_scheme=scheme)
    routes: list[WebSocketRoute] = []
    seen = CAMERA | {"age_ms": 5}

    def open_socket(route: WebSocketRoute) -> None:
        routes.append(route)
        tell(route, seen | {"marks": []})

    lone_page.route_web_socket("**/ws/wall", open_socket)
    lone_page.goto("/")
    garden = tile(lone_page, "garden/front")
    button = garden.locator(".open")
    expect(button).to_have_accessible_name("garden / front online")
    expect(garden.locator(".marks")).to_be_hidden()
    before = boxes(garden)
    tell(routes[0], seen | {"marks": ["motion", "dark"]})
    expect(garden.locator(".marks")).to_have_text("motion, dark")
    expect(garden.locator(".marks")).to_be_visible()
    expect(button).to_have_accessible_name("garden / front online motion, dark")
    assert contrast(garden.locator(".marks")) >= LEGIBLE
    assert boxes(garden) == before
    tell(routes[0], seen | {"marks": ["motion"], "state": "stale"})
    expect(garden).to_have_attribute("data-state", "stale")
    expect(garden.locator(".marks")).to_be_hidden()


def tell(route: WebSocketRoute, camera: dict[str, Any]) -> None:
    route.send(json.dumps({"type": "fleet", "hub": "test", "cameras": [camera]}))


def boxes(tile: Locator) -> list[object]:
    """Where everything stands that was there without a mark."""
    parts = tile.locator(".picture, canvas, .strip, .name, .numbers, dd, .open, .tools")
    return [part.bounding_box() for part in parts.all()]


def contrast(text: Locator) -> float:
    """Of a text with its own background, over white and over black, whichever is worse (WCAG)."""
    found: float = text.evaluate(
        """(element) => {
          const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
          const style = getComputedStyle(element);
          const [front, [r, g, b, alpha]] = [style.color, style.backgroundColor].map(numbers);
          const light = (channels) => {
            const [red, green, blue] = channels.map((channel) => {
              const part = channel / 255;
              return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          const ratios = [0, 255].map((under) => {
            const back = light([r, g, b].map((one) => one * alpha + under * (1 - alpha)));
            const both = [light(front.slice(0, 3)), back].sort((x, y) => y - x);
            return (both[0] + 0.05) / (both[1] + 0.05);
          });
          return Math.min(...ratios);
        }"""
    )
    return found


def test_motion_that_a_node_detects_marks_its_tile(wall: Wall, page: Page) -> None:
    with wall.start_sender("garden") as sender:
        image = np.full((48, 64, 3), 99, np.uint8)
        sender.detect("front", "motion", "moving")
        page.goto("/")

        def send_until(marks: str) -> None:
            deadline = time.monotonic() + DEADLINE_S
            while tile(page, "garden/front").locator(".marks").all_inner_texts() != [marks]:
                assert time.monotonic() < deadline, f"want {marks!r}"
                sender.send("front", image)
                page.wait_for_timeout(50)

        send_until("motion")
        sender.detect("front", "motion", "still")
        send_until("")


def test_a_frame_that_is_no_picture_is_acknowledged_and_said_so(lone_page: Page) -> None:
    frame = b"\xff\xd8\xff no picture"
    lone_page.route_web_socket("**/ws/wall", lambda route: answer(route, {"age_ms": 5}, frame))
    lone_page.goto("/")
    expect(lone_page.locator("#problem")).to_have_text("[[0, 7, None, None]]")
    expect(tile(lone_page, "garden/front")).to_have_attribute("data-state", "broken")


def test_a_picture_can_be_saved_before_the_hub_has_told_its_age(lone_page: Page) -> None:
    _, encoded = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))
    frame = encoded.tobytes()
    lone_page.route_web_socket("**/ws/wall", lambda route: answer(route, {}, frame))
    lone_page.goto("/")
    lone_page.wait_for_function("() => document.querySelector('.tile[data-painted]')")
    with lone_page.expect_download() as download:
        lone_page.keyboard.press("s")
    assert download.value.suggested_filename.startswith("garden-front-")


def test_the_clock_believes_the_exchange_with_the_least_round_trip(lone_page: Page) -> None:
    lone_page.goto("/")
    offset = lone_page.evaluate(
        """async () => {
          const { HubClock } = await import("/static/clock.js");
          const clock = new HubClock();
          clock.add(1000, 6090, 6090, 1100);  // 100 ms there and back, all of it on the way back
          clock.add(2000, 7001, 7001, 2002);  // 2 ms, the same both ways
          return clock.offset(2002);
        }"""
    )
    assert offset["offsetMs"] == pytest.approx(5000)
    assert offset["uncertaintyMs"] == pytest.approx(1.1)


def test_the_wall_can_be_photographed(wall: Wall, page: Page, tmp_path: Path) -> None:
    cameras = {"garden": "pool", "gate": "lane", "porch": "stairs", "workshop": "lathe"}
    for name, camera in cameras.items():
        wall.start_node(name, camera)
    page.goto("/")
    expect(page.locator("#online")).to_have_text("4 of 4 online")
    told = re.compile(r"^[1-9].*s$")  # every number is there, so nobody sees a dash
    wait_painted(page, [f"{name}/{camera}" for name, camera in cameras.items()], 1)
    for number in page.locator(".tile .fps, .tile .latency").all():
        expect(number).to_have_text(told)
    folder = Path(os.environ.get("CAMFLEET_SCREENSHOTS") or tmp_path)
    image = photograph(page, folder / "wall.webp")
    assert image.shape == (800, 1280, 3)
    for name, camera in cameras.items():
        box = tile(page, f"{name}/{camera}").locator("canvas").bounding_box()
        assert box is not None
        left, top, width, height = (round(box[k]) for k in ("x", "y", "width", "height"))
        assert np.std(image[top : top + height, left : left + width]) > 20
    page.set_viewport_size({"width": 360, "height": 740})
    wait_painted(page, ["garden/pool"], 5)
    assert photograph(page, folder / "wall-phone.webp").shape == (740, 360, 3)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/?group=node#garden/pool")
    expect(page.locator(".staged .latency")).to_have_text(told)
    assert photograph(page, folder / "wall-stage.webp").shape == (800, 1280, 3)
    page.emulate_media(color_scheme="light")
    page.goto("/?kiosk&group=node&search=ga")
    wait_painted(page, ["garden/pool", "gate/lane"], 5)
    expect(tile(page, "gate/lane").locator(".latency")).to_have_text(told)
    assert photograph(page, folder / "wall-kiosk.webp").shape == (800, 1280, 3)


def photograph(page: Page, path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """Write what the page shows as WebP, which is a quarter of a PNG; return its pixels."""
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_WEBP_QUALITY, 85])
    return image
