"""What Prometheus is told of nodes whose own metrics it can read (`http_sd`)."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from camfleet_hub.expiry import Expiry


class Targets(BaseModel):
    """A group of targets, as Prometheus' HTTP service discovery wants it."""

    targets: list[str]
    labels: dict[str, str]


def find_targets(expiry: Expiry) -> list[Targets]:
    """Every node that opens its own metrics to other machines."""
    return [
        Targets(targets=[node.metrics_at], labels={"node": node.name})
        for node in expiry.nodes()
        if node.metrics_at
    ]


def add_targets(app: FastAPI, expiry: Expiry) -> None:
    """Add the route; for the port of metrics, which is not that of browsers."""

    @app.get("/metrics/targets")
    def targets() -> list[Targets]:
        """Every node that opens its own metrics to other machines."""
        return find_targets(expiry)
