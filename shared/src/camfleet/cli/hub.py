"""Which hub a command speaks to, by its options, and how long it waits for it."""

from __future__ import annotations

import argparse

from camfleet.errors import CamfleetError, RemoteProtocolError
from camfleet.pattern import parse_pattern
from camfleet.subscriber import Subscriber
from camfleet.wire import StreamState


class CommandError(CamfleetError):
    """A command could not do what it was told, in words for a person."""


def add_hub(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which hub, and with which keys."""
    parser.add_argument("--hub", metavar="ADDRESS", help="tcp://HOST:5557; the bundle's by default")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--bundle", metavar="FILE", help="keys; ~/.config/camfleet/bundle.json")
    keys.add_argument("--plain", action="store_true", help="no keys: for a trusted network")
    parser.add_argument("--timeout", type=seconds, default=5.0, metavar="SECONDS", help="5")


def add_patterns(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose streams."""
    text = "for example garden/*; everything by default"
    parser.add_argument("patterns", nargs="*", type=pattern, metavar="PATTERN", help=text)


def subscribe(options: argparse.Namespace, *patterns: str) -> Subscriber:
    """Make a subscriber of the hub that the options name."""
    return Subscriber(
        options.hub,
        *patterns,
        bundle=options.bundle,
        plain=options.plain,
        software="camfleet command",
    )


def streams(subscriber: Subscriber, timeout_s: float) -> tuple[StreamState, ...]:
    """Ask which streams are there.

    Raises:
        CommandError: when the hub does not answer, with the reason where that is known.
    """
    listed = subscriber.streams(timeout_s)
    if listed is None:
        why = subscriber.refusal or f"it has not answered within {timeout_s:g} s"
        raise CommandError(f"no answer of the hub at {subscriber.address}: {why}")
    return listed


def name(state: StreamState) -> str:
    """A stream's name as it is written in a pattern."""
    return f"{state.node}/{state.stream.removesuffix('/main')}"


def pattern(text: str) -> str:
    """Read an argument that chooses streams."""
    try:
        parse_pattern(text)
    except RemoteProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def seconds(text: str) -> float:
    """Read an option that is a duration."""
    found = float(text)
    if not 0 < found <= 86_400:
        raise argparse.ArgumentTypeError(f"found {text}, want seconds above 0, a day at most")
    return found
