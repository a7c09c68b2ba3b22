"""A bound for how long the body of a request may take, so that who trickles it holds nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_S: Final = 10.0  # for a few kilobytes: far more than a bad mobile link needs
MOST_BODY_BYTES: Final = 16_384  # the largest that the API takes has some hundred


class TimelyBody:
    """Wraps an application; a body that is not whole in time is refused where it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline_s = asyncio.get_running_loop().time() + BODY_S
        is_whole = False

        async def receive_in_time() -> Message:
            nonlocal is_whole
            if is_whole:  # what comes now is that the reader hangs up, whenever it likes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline_s):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, f"the body did not come within {BODY_S:.0f} s") from error
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)
