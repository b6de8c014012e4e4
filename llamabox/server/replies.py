"""How a dialect says the choices of a generation; each has a module ``reply_*`` of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..api import AsyncStream, Chunk, Completion

__all__ = ["Reply"]


class Reply(Protocol):
    """How one dialect says the choices of a generation, whole or as events."""

    def watch(self, outputs: Sequence[AsyncStream]) -> None:
        """The generations that the events will be about, by choice."""

    def whole(self, choices: Sequence[Completion], generated: Sequence[Completion]) -> Any:
        """The body of a reply that is not streamed.

        :param choices: those of each prompt behind one another.
        :param generated: all that was generated, in its order; what `choices` are chosen from.
        """

    def head(self) -> bytes:
        """Events before the first text."""

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        """The event of some text of a choice; nothing if there is none."""

    def end(self, completion: Completion, index: int) -> bytes:
        """The event after the last text of a choice that others outlast."""

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        """The events after the last text of all; `index` is the choice that ended last."""
