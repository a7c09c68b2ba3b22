from __future__ import annotations

import io
from base64 import b64encode

import numpy as np
import pytest

from camfleet_node.settings.http import HttpCamera
from camfleet_node.sources.http import HttpSource
from camfleet_node.sources.http.credentials import Credentials, best_of
from camfleet_node.sources.http.parts import MAX_PART, boundary_of, parts
from camfleet_node.sources.picture import SettingError, SourceError

# The examples of RFC 7616, 3.9.1.
KNOWN = Credentials("Mufasa", "Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
ASKED = f'realm="http-auth@example.org", qop="auth, auth-int", nonce="{NONCE}", opaque="FQhe/qaU"'


def part(body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % size + body + b"\r\n"
    )


def read(data: bytes) -> list[bytes]:
    return list(parts(io.BytesIO(data), b"cut"))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=cut", b"cut"),
        ('multipart/x-mixed-replace;boundary="cut here"', b"cut here"),
        ("Multipart/X-Mixed-Replace; BOUNDARY=--cut", b"cut"),  # a mistake of many cameras
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "text/html; boundary=cut", "", "multipart/x"]
)
def test_what_is_no_stream_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="want a multipart stream of JPEGs"):
        boundary_of(content_type)


def test_parts_with_a_length_may_have_anything_in_them() -> None:
    bodies = [b"\r\n--cut\r\n", b"", b"\xff\xd8\n\n"]
    assert read(b"preamble\r\n" + b"".join(map(part, bodies)) + b"--cut--\r\n") == bodies


def test_parts_without_a_length_end_at_the_boundary() -> None:
    data = b"--cut\r\n\r\n\xff\xd8 one\r\n--cut\r\nX: y\r\n\r\ntwo\r\n--cut--\r\n"
    assert [body.rstrip() for body in read(data)] == [b"\xff\xd8 one", b"two"]


def test_a_part_that_is_cut_off_is_none() -> None:
    assert read(part(b"one") + part(b"two", length=9)[:-2]) == [b"one"]


def test_a_picture_comes_before_the_next_boundary() -> None:
    stream = io.BytesIO(part(b"one"))
    assert next(parts(stream, b"cut")) == b"one"
    assert stream.tell() == len(part(b"one")) - 2


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (part(b"", length=MAX_PART + 1), "has a part of b'16777217' bytes, want at most 16777216"),
        (part(b"", length=-1), "has a part of b'-1' bytes"),
        (b"--cut\r\n" + b"a: b\r\n" * 40, "has a part with more than 32 headers"),
        (b"--cut\r\n" + b"a" * 99_999, "has a part with more than 32 headers"),
        (b"\n" * 99_999, "has no boundary within 65536 bytes"),
        (b"--cut\r\n\r\n" + bytes(MAX_PART + 99_999), "has a part of more than 16777216 bytes"),
    ],
)
def test_what_would_never_end_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        read(data)


def test_nothing_but_a_value_error_comes_of_any_damage() -> None:
    data, random = part(b"\xff\xd8 picture") * 3, np.random.default_rng(7)
    for _ in range(2000):
        hurt = bytearray(data)
        for at in random.integers(0, len(hurt), 4):
            hurt[at] = random.integers(0, 256)
        try:
            read(bytes(hurt))
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_a_digest_is_that_of_the_standard(algorithm: str, response: str) -> None:
    asked = f"Digest {ASKED}, algorithm={algorithm}"
    answer = KNOWN.answer(asked, "GET", "/dir/index.html", CNONCE)
    assert f'response="{response}"' in answer
    assert answer.endswith(f"algorithm={algorithm}, qop=auth, nc=00000001")
    assert 'opaque="FQhe/qaU"' in answer


def test_an_old_camera_gets_a_digest_without_qop() -> None:
    asked = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    answer = KNOWN.answer(asked, "GET", "/dir/index.html", "ours")
    assert "qop" not in answer
    assert "cnonce" not in answer


def test_basic_credentials_are_those_of_the_standard() -> None:
    answer = Credentials("Aladdin", "open sesame").answer('Basic realm="x"', "GET", "/", "")
    assert answer == "Basic " + b64encode(b"Aladdin:open sesame").decode()


def test_other_kinds_of_login_are_told() -> None:
    with pytest.raises(ValueError, match="asks for credentials by 'NTLM', want Basic or Digest"):
        KNOWN.answer("NTLM", "GET", "/", "")
    with pytest.raises(ValueError, match="asks for a digest by 'MD4'"):
        KNOWN.answer(f"Digest {ASKED}, algorithm=MD4", "GET", "/", "")


def test_no_text_shows_credentials() -> None:
    settings = HttpCamera.model_validate({"source": "http", "url": "http://me:secret@cam/x?pw=1"})
    assert settings.model_dump(mode="json")["url"] == "http://cam/x"
    assert "Circle" not in repr(KNOWN)


@pytest.mark.parametrize("url", ["rtsp://cam/", "http://", "cam", "http://cam:99999/"])
def test_what_is_no_url_of_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="URL: found something else, want an http or https URL"):
        HttpSource(url)


def test_a_camera_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(SourceError) as caught:
        HttpSource("http://me:secret@127.0.0.1:1/stream?token=secret")
    assert str(caught.value) == "http://127.0.0.1:1/stream cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("challenges", "best"),
    [
        ([], ""),
        (['Basic realm="cam"', 'DIGEST realm="cam"'], 'DIGEST realm="cam"'),
        (["Negotiate", 'Basic realm="cam"'], 'Basic realm="cam"'),
        (["Negotiate"], "Negotiate"),
    ],
)
def test_of_several_challenges_that_is_answered_which_tells_least(
    challenges: list[str], best: str
) -> None:
    assert best_of(challenges) == best


def test_a_word_without_end_in_a_challenge_is_no_field() -> None:
    answer = Credentials("me", "secret").answer("Digest " + 4000 * "a", "GET", "/", "ours")
    assert 'realm=""' in answer
