"""Prometheus metrics of the hub's certificate."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet_hub.web.certificate import Certificate


class CertificateCollector(Collector):
    """Until when it is valid.

    Args:
        certificate: of the browsers' port.
    """

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Tell it, where it is known."""
        expiry = GaugeMetricFamily(
            "camfleet_certificate_expiry_timestamp_seconds",
            "Unix time at which the certificate of the browsers' port is over, where there is one.",
        )
        if self._certificate.expires_s is not None:
            expiry.add_metric([], self._certificate.expires_s)
        yield expiry
