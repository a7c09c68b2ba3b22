from __future__ import annotations

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.pattern import parse_pattern


@pytest.mark.parametrize(
    ("pattern", "node", "stream"),
    [
        ("*", "pi", "front/main"),
        ("*", "pi", "front/preview"),
        ("*/*", "pi", "front/main"),
        ("garden/*", "garden", "pond/main"),
        ("garden/p?nd", "garden", "pond/main"),
        ("*/pond", "garden", "pond/main"),
        ("garden/pond/*", "garden", "pond/preview"),
        ("garden/pond/preview", "garden", "pond/preview"),
        ("a[1]/b[x", "a[1]", "b[x/main"),
        ("a.b/c+", "a.b", "c+/main"),
    ],
)
def test_a_pattern_chooses_a_stream(pattern: str, node: str, stream: str) -> None:
    assert parse_pattern(pattern).matches(node, stream)


@pytest.mark.parametrize(
    ("pattern", "node", "stream"),
    [
        ("garden/*", "Garden", "pond/main"),
        ("garden/*", "garden2", "pond/main"),
        ("garden/*", "garden", "pond/preview"),
        ("*/*", "pi", "front/preview"),
        ("a[1]/b", "a1", "b/main"),
        ("a.b/c", "axb", "c/main"),
        ("garden/p?nd", "garden", "pnd/main"),
        ("*/front", "pi", "front"),
    ],
)
def test_a_pattern_leaves_others_out(pattern: str, node: str, stream: str) -> None:
    assert not parse_pattern(pattern).matches(node, stream)


@pytest.mark.parametrize("pattern", ["", "garden", "**", "a/", "/a", "a//b", "a/b/c/d", "x/" * 2])
def test_what_is_no_pattern_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(RemoteProtocolError, match="want NODE/CAMERA, for example") as caught:
        parse_pattern(pattern)
    assert caught.value.reason is Reason.PATTERN


def test_a_pattern_of_many_stars_is_judged_at_once() -> None:
    assert not parse_pattern("*a" * 98 + "/b").matches("a" * 127 + "c", "b/main")


def test_a_pattern_is_bounded() -> None:
    with pytest.raises(RemoteProtocolError, match="at most 200 characters"):
        parse_pattern("x" * 199 + "/*")
