"""One thing that was looked at, and what is to be done about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

_WHAT_WIDTH: Final = 11  # characters


class Verdict(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        verdict: whether that is well.
        what: was looked at, in a word.
        found: in one line; never a secret.
        remedy: what to do; empty where nothing needs to be done.
    """

    verdict: Verdict
    what: str
    found: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """For a person, one below the other."""
        remedy = f"  → {self.remedy}" if self.remedy else ""
        return f"{self.verdict.value:<4}  {self.what:<{_WHAT_WIDTH}}  {self.found}{remedy}"

    @property
    def as_dict(self) -> dict[str, str]:
        """For programs."""
        return asdict(self)


def ok(what: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding(Verdict.OK, what, found)


def warn(what: str, found: str, remedy: str = "") -> Finding:
    """Say that something may be wrong."""
    return Finding(Verdict.WARN, what, found, remedy)


def fail(what: str, found: str, remedy: str = "") -> Finding:
    """Say that something is wrong."""
    return Finding(Verdict.FAIL, what, found, remedy)
