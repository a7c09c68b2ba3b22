"""The hub's ZeroMQ ports: opened together, and watched as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.port import Port
from camfleet.receiver import Receiver
from camfleet.settings import refuse
from camfleet_hub.authority import authority
from camfleet_hub.demand import Demand
from camfleet_hub.enrolment import RESERVED
from camfleet_hub.fleet import Fleet
from camfleet_hub.imagezmq_port import ImagezmqPort
from camfleet_hub.imagezmq_publishers import ImagezmqPublishers
from camfleet_hub.republisher import Republisher
from camfleet_hub.settings import HubSettings
from camfleet_hub.subscriber_port import OnSubscriber, SubscriberPort
from camfleet_hub.worker import Worker

_STUCK_NS: Final = 3_000_000_000


@dataclass
class Ports:
    """Every port, by the name that people know it by.

    Attributes:
        nodes: for nodes.
        subscribers: for programs that read frames.
        others: of stock imagezmq, as far as they are open.
    """

    nodes: Receiver
    subscribers: SubscriberPort
    others: dict[str, Port | Worker] = field(default_factory=dict)

    @property
    def keyed(self) -> dict[str, Port]:
        """Those that let only keys in."""
        return {"nodes": self.nodes, "subscribers": self.subscribers}

    @property
    def all(self) -> dict[str, Port | Worker]:
        """All of them."""
        return {**self.keyed, **self.others}

    @property
    def are_alive(self) -> bool:
        """Whether no thread of theirs has ended."""
        return all(port.is_alive for port in self.all.values())

    @property
    def queues(self) -> dict[str, Callable[[], int]]:
        """How much waits in those that send, by port."""
        queues: dict[str, Callable[[], int]] = {"subscribers": lambda: self.subscribers.waiting}
        republisher = self.others.get("republish")
        if isinstance(republisher, Republisher):
            queues["republish"] = lambda: republisher.waiting
        return queues

    def problems(self) -> list[str]:
        """Say what is wrong with them, for people; nothing where nothing is."""
        oldest_ns = time.monotonic_ns() - _STUCK_NS
        stuck = [name for name, port in self.all.items() if port.alive_ns < oldest_ns]
        return [f"the {name} port's thread is stuck or dead" for name in stuck]

    def cut(self, name: str) -> None:
        """Let go of whose key was revoked."""
        self.nodes.cut(name)
        self.subscribers.cut(name)


def open_keyring(settings: HubSettings) -> Keyring | None:
    """Read who is enrolled, or make the hub's own keys; None where everything is plain.

    What cannot be used ends the program with exit code 2, and names the setting.
    """
    if settings.plain:
        return None
    with _refusing("STATE"):
        return Keyring(settings.state, reserved=RESERVED)


def open_ports(
    settings: HubSettings,
    keyring: Keyring | None,
    fleet: Fleet,
    demand: Demand,
    *,
    on_subscriber: OnSubscriber,
    stack: ExitStack,
) -> Ports:
    """Open every port, and have it closed with `stack`.

    One that cannot be opened ends the program with exit code 2, and names the setting.
    """
    with _refusing("NODES_PORT"):
        nodes = Receiver(
            f"tcp://{authority(settings.bind, settings.nodes_port)}",
            keyring=keyring,
            plain=settings.plain,
            on_event=fleet.take,
            on_reject=fleet.reject,
            window=settings.window,
            reserved=RESERVED,
            on_demand=True,
            io_threads=settings.io_threads,
        )
        stack.enter_context(nodes)
    demand.on_want, demand.on_release = nodes.want, nodes.release
    with _refusing("SUBSCRIBERS_PORT"):
        subscribers = SubscriberPort(
            f"tcp://{authority(settings.bind, settings.subscribers_port)}",
            fleet.streams,
            demand,
            keyring=keyring,
            now_ns=fleet.now_ns,
            on_reject=fleet.reject,
            on_subscriber=on_subscriber,
            io_threads=settings.io_threads,
        )
        stack.enter_context(subscribers)
    fleet.listeners += (subscribers.notice,)
    ports = Ports(nodes, subscribers)
    for name, port in _open_imagezmq(settings, fleet, demand):
        stack.enter_context(port)
        ports.others[name] = port
    return ports


def _open_imagezmq(
    settings: HubSettings, fleet: Fleet, demand: Demand
) -> Iterator[tuple[str, Port | Worker]]:
    """Open the port for stock senders, and what else of stock imagezmq is chosen."""
    with _refusing("IMAGEZMQ_PORT"):
        address = f"tcp://{authority(settings.imagezmq_bind, settings.imagezmq_port)}"
        port = ImagezmqPort(address, fleet.accept, fleet.reject)
    yield "imagezmq", port
    if settings.imagezmq_publishers:
        with _refusing("IMAGEZMQ_PUBLISHERS"):
            publishers = ImagezmqPublishers(
                settings.imagezmq_publishers, fleet.accept, fleet.reject, fleet.find
            )
        yield "imagezmq publishers", publishers
    if settings.republish:
        with _refusing("REPUBLISH_PORT"):
            republisher = Republisher(
                f"tcp://{authority(settings.imagezmq_bind, settings.republish_port)}",
                settings.republish,
                fleet.streams,
                demand,
                format=settings.republish_format,
                fps=settings.republish_fps,
                quality=settings.quality,
            )
        fleet.listeners += (republisher.notice,)
        yield "republish", republisher


@contextmanager
def _refusing(setting: str) -> Iterator[None]:
    try:
        yield
    except LocalProtocolError as error:
        refuse([f"CAMFLEET_HUB_{setting}: {error}"])
