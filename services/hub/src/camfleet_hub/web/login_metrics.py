"""Prometheus metrics of log-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet_hub.web.login import Login

REASONS: Final = (
    "wrong",
    "too_many",
    "unknown_token",
    "expired_token",
    "revoked_token",
    "too_many_tokens",
)


class LoginCollector(Collector):
    """Log-ins that failed.

    Args:
        login: counts them.
    """

    def __init__(self, login: Login) -> None:
        self._login = login

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all counters."""
        failed = CounterMetricFamily(
            "camfleet_logins_failed",
            "Log-ins that failed: a password was `wrong`, a token was `unknown_token`, "
            "`expired_token` or `revoked_token`, or there were `too_many` passwords, or "
            "`too_many_tokens` that opened nothing.",
            labels=["reason"],
        )
        for reason in REASONS:
            failed.add_metric([reason], self._login.failed[reason])
        yield failed
