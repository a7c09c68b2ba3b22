"""The API's route that tells who asks, and what they may see."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel, Field

from camfleet.pattern import EVERYTHING, StreamPattern
from camfleet_hub.permission import Role
from camfleet_hub.web.asking import Seen


class Session(BaseModel):
    """Who you are to this hub."""

    name: str = Field(
        description="Of the user or token; empty where nobody logs in.", examples=["admin"]
    )
    role: Role
    cameras: list[str] = Field(
        description="Patterns of the cameras that you may see.", examples=[["garden/*"]]
    )
    sees_everything: bool = Field(description="Whether every camera is among them.")
    has_login: bool = Field(description="Whether this hub wants a log-in.")


def add_session(app: FastAPI, *, has_login: bool) -> None:
    """Add the route."""

    @app.get("/api/session", tags=["session"])
    async def get_session(sight: Seen) -> Session:
        """Who you are to this hub, and what you may see."""
        identity = sight.identity
        return Session(
            name=identity.name,
            role=identity.role,
            cameras=[_text(one) for one in identity.cameras],
            sees_everything=identity.sees_everything,
            has_login=has_login,
        )


def _text(pattern: StreamPattern) -> str:
    """A pattern as it was written, with brackets that mean themselves."""
    if pattern.node == pattern.camera == EVERYTHING:
        return EVERYTHING
    return f"{pattern.node}/{pattern.camera}".replace("[[]", "[")
