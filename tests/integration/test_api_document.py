"""The API is as its document says, whoever asks and whatever they say (by Schemathesis)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

import imagezmq
import numpy as np
import pytest
import schemathesis
import zmq
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from camfleet_hub.permission import Role
from camfleet_hub.tokens import add_token

if TYPE_CHECKING:
    from schemathesis.schemas import BaseSchema
    from tests.integration.conftest import House

TIMEOUT_S: Final = 30.0
PICTURES_WITHOUT_END: Final = "/mjpeg/{node}/{camera}"  # tests of its own watch it
EXAMPLES: Final = 12  # of each route, for each of the three who ask
ROLES: Final = ("nobody", "viewer", "administrator")
# It tries wrong passwords, and expects that nobody minds how many; a test below minds.
NOT_CHECKED: Final = [ignored_auth]
# A schema cannot say which names are printable, nor what time it is.
HARD_TO_SAY: Final = [positive_data_acceptance]
DOCUMENT: Final = "/openapi.json"


@pytest.fixture(scope="module")
def house(build_house: Callable[[str], House]) -> House:
    """A hub with a log-in, and two cameras of a stock sender."""
    made = build_house("document")
    made.start_hub({"CAMFLEET_HUB_AUTH": "password"})
    address = f"tcp://127.0.0.1:{made.ports['IMAGEZMQ']}"
    with closing(imagezmq.ImageSender(connect_to=address)) as sender:
        sender.zmq_socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        for camera in ("front", "back"):
            assert sender.send_image(camera, np.zeros((48, 64, 3), np.uint8)) == b"OK"
    return made


@pytest.fixture(scope="module")
def headers(house: House) -> dict[str, dict[str, str]]:
    """With what each of those who ask comes in."""
    viewer = add_token(house.state, "looks", cameras=["imagezmq/front"])
    administrator = add_token(house.state, "rules", role=Role.ADMINISTRATOR)
    return {
        "nobody": {},
        "viewer": {"Authorization": f"Bearer {viewer}"},
        "administrator": {"Authorization": f"Bearer {administrator}"},
    }


@pytest.fixture(scope="module")
def schema(house: House, headers: dict[str, dict[str, str]], until: Any) -> BaseSchema:  # noqa: ANN401 - a fixture's own
    url = f"http://{house.host}:{house.ports['WEB']}{DOCUMENT}"

    def load() -> BaseSchema | None:
        try:
            return schemathesis.openapi.from_url(url, headers=headers["administrator"])
        except schemathesis.errors.LoaderError:  # the token is not known yet
            return None

    found: BaseSchema = until(load)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_route_does_as_the_document_says(
    house: House, schema: BaseSchema, headers: dict[str, dict[str, str]], role: str
) -> None:
    url = f"http://{house.host}:{house.ports['WEB']}"
    found: Any = schema.exclude(path=PICTURES_WITHOUT_END).get_all_operations()
    asked = sum(_ask(result.ok(), url, headers[role]) for result in found)
    assert asked > EXAMPLES
    assert "Traceback" not in house.hub.said()


def _ask(operation: Any, url: str, headers: dict[str, str]) -> int:  # noqa: ANN401 - Schemathesis'
    """Ask one route for all sorts of things; return how often."""
    unchecked = NOT_CHECKED + HARD_TO_SAY * (operation.method == "post")
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:  # noqa: ANN401 - Schemathesis'
        nonlocal asked
        asked += 1
        case.call_and_validate(
            base_url=url, headers=headers, timeout=TIMEOUT_S, excluded_checks=unchecked
        )

    ask()
    return asked


def test_no_route_but_health_is_open_to_who_brings_nothing_or_a_wrong_secret(
    house: House, schema: BaseSchema
) -> None:
    wrong = {
        "nothing": {},
        "a token": {"Authorization": "Bearer camfleet_wrong"},
        "a password": {"Authorization": "Basic YWRtaW46d3Jvbmc="},
        "a cookie": {"Cookie": "camfleet_session=wrong"},
        "half of it": {"Authorization": "Bearer"},
    }
    found: Any = schema.get_all_operations()
    operations = [result.ok() for result in found]
    for operation, (kind, fields) in itertools.product(operations, wrong.items()):
        path = re.sub(r"\{\w+\}", "1", operation.path)
        if path == "/healthz":
            continue
        with closing(HTTPConnection(house.host, house.ports["WEB"], timeout=TIMEOUT_S)) as link:
            link.request(operation.method.upper(), path, headers=fields)
            answer = link.getresponse()
            assert answer.status in {401, 429}, (path, kind)
            assert answer.getheader("content-type") == "application/problem+json"
