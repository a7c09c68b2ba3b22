"""What the wall says of cameras that change: to who hears it, and of a camera that is slow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect
from tests.browser.axe import faults
from tests.browser.fake_hub import CAMERAS, FakeHub, picture, tile

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEEP_NEWS: Final = """() => {
  window.news = [];
  const place = document.getElementById("news");
  new MutationObserver(() => window.news.push(place.textContent)).observe(place, {
    childList: true, characterData: true, subtree: true,
  });
}"""
SLOW: Final = {"captured_fps": 6.04, "asked_fps": 20.0}


def wait_news(page: Page, want: list[str]) -> None:
    page.wait_for_function("(want) => window.news.length >= want", arg=len(want))
    assert page.evaluate("window.news") == want


def test_what_changes_is_said_in_one_sentence_and_no_more_than_that(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/")
    expect(lone_page.locator(".tile[data-state=online]")).to_have_count(len(CAMERAS))
    assert lone_page.locator("#news").get_attribute("role") == "status"
    expect(lone_page.locator("#news")).to_have_text("")  # who opens the page reads it
    lone_page.evaluate(KEEP_NEWS)
    for name in ("garden/gate", "porch/door"):
        hub.cameras[name] |= {"state": "offline"}
        hub.tell()  # one after the other, as they leave
    hub.cameras["barn/hens"] |= {"state": "stale"}
    hub.tell()
    first = "2 cameras offline: garden / gate, porch / door; 1 camera stale: barn / hens"
    wait_news(lone_page, [first])
    hub.cameras["attic/roof"] |= {"state": "stale"}
    hub.tell()
    hub.cameras["attic/roof"] |= {"state": "online"}  # before it could be said
    for name in ("garden/gate", "porch/door", "barn/hens"):
        hub.cameras[name] |= {"state": "online"}
    hub.tell()
    second = "3 cameras online: barn / hens, garden / gate, porch / door"
    wait_news(lone_page, [first, second])


SAY: Final = """async (steps) => {
  const { News } = await import("/static/news.js");
  const news = new News();
  return steps.map(([atMs, states]) => {
    if (states) {
      const ids = Object.keys(states);
      news.follow(ids.map((id) => ({ id, spoken: id, state: states[id] })), atMs);
    }
    return news.next(atMs);
  });
}"""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([[0, {"a": "offline"}], [9000, None]], ["", ""]),
        ([[0, {"a": "online"}], [1, {}], [2001, None]], ["", "", "1 camera gone: a"]),
        ([[0, {}], [1, {"a": "online"}], [2001, None]], ["", "", "1 camera online: a"]),
        (
            [[0, {"a": "online"}], [1, {"a": "stale"}], [900, {"a": "online"}], [9000, None]],
            ["", "", "", ""],
        ),
        (
            [
                [0, dict.fromkeys("abcde", "online")],
                [1, dict.fromkeys("abcde", "offline")],
                [2001, None],
                [2002, dict.fromkeys("abcde", "rejected")],
                [7900, None],
                [8001, None],
            ],
            ["", "", "5 cameras offline: a, b, c and 2 more", "", "",
             "5 cameras rejected: a, b, c and 2 more"],
        ),
    ],
    ids=["first", "gone", "new", "over", "pause"],
)  # fmt: skip
def test_what_is_said_waits_for_what_belongs_to_it(
    lone_page: Page, steps: list[Any], said: list[str]
) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(SAY, steps) == said


def test_a_camera_that_gives_much_less_than_it_is_set_to_says_so(lone_page: Page) -> None:
    lone_page.clock.install()
    hub = FakeHub(lone_page, CAMERAS[:2])
    hub.cameras["attic/roof"] |= SLOW
    hub.cameras["barn/hens"] |= {"captured_fps": 16.5, "asked_fps": 20.0}
    lone_page.goto("/")
    roof = tile(lone_page, "attic/roof")
    expect(roof).to_have_attribute("data-state", "online")
    expect(roof.locator(".marks")).to_have_text("")  # it may have begun just now
    lone_page.clock.fast_forward(11_000)
    expect(roof.locator(".marks")).to_have_text("slow: 6 of 20 fps")
    expect(roof.locator(".marks")).to_be_visible()
    button = picture(lone_page, "attic/roof")
    expect(button).to_have_accessible_name("attic / roof online slow: 6 of 20 fps")
    why = re.compile("slow: 6 of 20 fps: it captures less than it is set to give$")
    expect(button).to_have_attribute("title", why)
    expect(tile(lone_page, "barn/hens").locator(".marks")).to_have_text("")
    assert faults(lone_page) == []
    hub.cameras["attic/roof"] |= {"captured_fps": 19.0}
    hub.tell()
    expect(roof.locator(".marks")).to_have_text("")


def test_a_camera_of_which_nobody_knows_what_it_shall_give_is_not_slow(lone_page: Page) -> None:
    lone_page.goto("/")
    found = lone_page.evaluate(
        """async () => {
          const { Shortfall } = await import("/static/shortfall.js");
          const of = (camera) => {
            const one = new Shortfall();
            one.follow({ state: "online", ...camera }, 0);
            return one.isSlow(99_000);
          };
          return [{}, { captured_fps: 1, asked_fps: null }, { captured_fps: 16, asked_fps: 20 },
            { captured_fps: 1, asked_fps: 20, state: "stale" },
            { captured_fps: 15.9, asked_fps: 20 }].map(of);
        }"""
    )
    assert found == [False, False, False, False, True]
