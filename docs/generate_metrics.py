"""Writes docs/metrics.md out of the collectors of both services: `make docs`."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.registry import Collector

from camfleet.clock import Offset
from camfleet.keyring import Keyring
from camfleet.node_link import LinkState
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.hub_metrics import HubCollector
from camfleet_hub.key_metrics import KeyCollector
from camfleet_hub.loop_lag import LoopLag
from camfleet_hub.machine_metrics import MachineCollector
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.node_metrics import NodeCollector as FleetNodeCollector
from camfleet_hub.port_metrics import PortCollector
from camfleet_hub.web.certificate_metrics import CertificateCollector
from camfleet_hub.web.login_metrics import LoginCollector
from camfleet_hub.web.rejected_metrics import RejectedCollector
from camfleet_node.host.memory import Memory
from camfleet_node.metrics import NodeCollector

PAGE: Final = Path(__file__).parent / "metrics.md"
INTRODUCTION: Final = """\
# Metrics

The hub tells everything about itself and every node at `http://HUB:9101/metrics`; two hundred nodes
need no scraping of their own. A node tells more about itself at `http://NODE:9102/metrics`, on
127.0.0.1 until `CAMFLEET_NODE_METRICS_BIND` opens it; the hub then names it to Prometheus at
`http://HUB:9101/metrics/targets`. Numbers are read when Prometheus asks for them, and a frame costs
nothing more for it.

Counters only grow, so a rate is Prometheus' to make. What a camera gives is
`rate(camfleet_frames_captured_total[1m])`, against `camfleet_camera_asked_fps`; what comes to the
hub, `rate(camfleet_frames_received_total[1m])`, is one a second where nobody looks.
Labels are `node`, `camera` and small fixed sets. A node that was not heard for
`CAMFLEET_HUB_METRICS_EXPIRE_S`, a day, leaves no series behind, but for `camfleet_node_online` as
long as it is enrolled. What to do about a number is in [operations.md](operations.md). This page is
made from the services by `make docs`; a test fails when it is stale.
"""
PROCESS: Final = """\
Beside these there are `process_...` (processor time, memory, open files, start time), as of every
program with Prometheus' library for Python.
"""
REASONS: Final = """\
## Dropped, lost, rejected

Three counters that are never mixed. **Dropped** is what we chose to discard, **lost** is a gap that
was seen in the sequence, **rejected** is what could not be accepted, whether or not its sender was
refused in words. Places and reasons of what is dropped:

| place | reason | meaning |
|---|---|---|
| `node` | `newer` | a newer picture came before there was room for this one |
| `node` | `no_credit` | the hub had given no credit when it was captured |
| `node` | `unwanted` | nobody wants the stream, so one a second is sent |
| `node` | `still`, `interval` | the camera's own rule (`SEND`): nothing moved, or it is too soon |
| `node` | `hot` | every other picture, while the processor is too hot |
| `node` | `unfit` | it could not be processed, or its encoding failed |
| `wall`, `mjpeg`, `subscriber`, `republish` | `newer` | its reader was still busy |
| `subscriber` | `overflow`, `unfit` | a reader of every frame was too slow; a header had no room |
| `republish` | `rate`, `slow`, `not_jpeg` | above its rate; a listener was full; no JPEG |
"""


def page() -> str:
    """The whole page as it should be."""
    return "\n".join(
        [INTRODUCTION, "## Hub\n", _table(hub()), PROCESS, "## Node\n", _table(node()), REASONS]
    )


def hub() -> list[Metric]:
    """Every metric of a hub in which nobody is."""
    fleet, stub = Fleet(1), SimpleNamespace
    expiry = Expiry(fleet)
    ports: Any = stub(keyed={}, all={}, nodes=stub(flights=list), subscribers=stub(subscribers=0))
    login: Any = stub(failed=Counter())
    certificate: Any = stub(expires_s=None)
    with tempfile.TemporaryDirectory() as folder:
        collectors = [
            FleetCollector(fleet, Counter(), expiry),
            FleetNodeCollector(fleet, expiry),
            MachineCollector(fleet),
            PortCollector(ports),
            LoginCollector(login),
            RejectedCollector(Counter(), Counter()),
            CertificateCollector(certificate),
            KeyCollector(Keyring(Path(folder) / "state")),
            HubCollector(
                "camfleet-hub 0",
                LoopLag(),
                state=Path(folder),
                viewers=int,
                queues={},
                problems=list,
            ),
        ]
        return _sorted(collectors)


def node() -> list[Metric]:
    """Every metric of a node that knows all about its machine."""
    stub = SimpleNamespace
    sender: Any = stub(counters=list, state=LinkState.ONLINE, clock=Offset(0, 0))
    host: Any = stub(temperature_c=0.0, is_hot=False, throttling=(), memory=Memory(0, 0, 0))
    return _sorted([NodeCollector(sender, (), host, "camfleet-node 0")])


def _sorted(collectors: Iterable[Collector]) -> list[Metric]:
    found = [metric for collector in collectors for metric in collector.collect()]
    return sorted(found, key=lambda metric: metric.name)


def _table(metrics: Iterable[Metric]) -> str:
    lines = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = ", ".join(f"`{label}`" for label in getattr(metric, "_labelnames", ()))
        lines.append(f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
