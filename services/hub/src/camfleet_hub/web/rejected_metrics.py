"""Prometheus metrics of the requests that were refused, and of what is not believed of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet_hub.web.rejected import REASONS


class RejectedCollector(Collector):
    """Requests to the ports for browsers and for metrics that were refused.

    Args:
        rejected: the counts, by reason.
        ignored: what was said for others by who is no named proxy, by header.
    """

    def __init__(self, rejected: Counter[str], ignored: Counter[str]) -> None:
        self._rejected = rejected
        self._ignored = ignored

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all counters."""
        rejected = CounterMetricFamily(
            "camfleet_requests_rejected",
            "HTTP requests and WebSockets that were refused: without a `login` or with a wrong "
            "one, or by one that is `forbidden` it; `not_found`, where a camera of others is none; "
            "for another `host`, from a page of another `origin`, with a `method` that is not "
            "served, in `conflict` with what is there, `malformed`, `too_large`, `slow`, "
            "`too_many` tries, or while the hub is `full`.",
            labels=["reason"],
        )
        for reason in REASONS:
            rejected.add_metric([reason], self._rejected[reason])
        yield rejected
        ignored = CounterMetricFamily(
            "camfleet_proxy_headers_ignored",
            "Headers by which a proxy says for whom it asks, of who is none that is named: they "
            "are not believed, and the request is served.",
            value=self._ignored.total(),
        )
        yield ignored
