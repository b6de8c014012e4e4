"""What a parser makes of a model's output, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Content:
    """Text for the reader."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Text that the model wrote before its answer, for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call of a tool begins.

    :param index: 0 for the first call of a message.
    :param id: as the model wrote it; "" if its format has none.
    """

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of a call's arguments; all fragments joined are their JSON text."""

    index: int
    fragment: str


Event = Content | Reasoning | CallStart | CallArguments


class Parser(Protocol):
    """An incremental parser of one output; what its events say does not depend on how the output
    was cut."""

    def feed(self, text: str) -> list[Event]:
        """The events of more text, in time proportional to it; what may become a marker waits."""

    def close(self) -> list[Event]:
        """The events of what waited; nothing may be fed afterwards."""
