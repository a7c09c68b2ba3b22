"""The API is as its document says, whoever asks and whatever they say (by Schemathesis)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
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
# Served beside the API: pages for people, and what they are made of.
PAGES: Final = {"/", "/login", "/logout", "/password", "/static", "/ws/wall", "/api"}
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
    asked = 0
    for result in schema.exclude(path=PICTURES_WITHOUT_END).get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # what cannot be read has none
        unchecked = NOT_CHECKED + HARD_TO_SAY * (operation.method == "post")

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any, unchecked: list[Any] = unchecked) -> None:  # noqa: ANN401 - Schemathesis tells its type by its own name
            nonlocal asked
            asked += 1
            case.call_and_validate(
                base_url=url,
                headers=headers[role],
                timeout=TIMEOUT_S,
                excluded_checks=unchecked,
            )

        ask()
    assert asked > EXAMPLES
    assert "Traceback" not in house.hub.said()
