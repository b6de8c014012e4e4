"""How models of one kind are told of tools, and how they call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .events import Parser

_MAX_OPENING = 256


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    :param parameters: JSON schema of its arguments, which are an object; empty for any.
    :param strict: its arguments have to keep to the schema.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value that keeps to a schema."""

    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Until:
    """Text up to a stop, which follows as the next `Literal`.

    :param regexes: that the text matches in full, all of them; none for any text.
    """

    stop: str
    regexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Id:
    """An id of a call: text that a regular expression matches in full."""

    regex: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """These pieces, or none of them. They begin with a `Literal`, which tells."""

    pieces: tuple[Piece, ...]


Piece = Literal | Json | Until | Id | Maybe


@dataclass(frozen=True, slots=True)
class CallShapes:
    """How calls are written: ``before call (between call)* after``.

    :param before: pieces in front of the first call. Where the model may also answer in plain
        text, the first literal of these (or of the call) is what tells that a call begins.
    :param call: one call of a tool.
    :param between: pieces between two calls.
    :param after: pieces behind the last call.
    :param fits: whether `call` has all that may be said of a tool's arguments.
    """

    call: Callable[[Tool], tuple[Piece, ...]]
    before: tuple[Piece, ...] = ()
    between: tuple[Piece, ...] = ()
    after: tuple[Piece, ...] = ()
    fits: Callable[[Tool], bool] = lambda _: True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFormat:
    """One way to write calls.

    :param name: for logs, ``/props`` and tests.
    :param recognizes: whether a chat template (its Jinja source) has the model write this format.
    :param parser: a new parser of one output, given the tools that are offered.
    :param shapes: how calls that have to be made are written; None if they cannot be forced in
        this format, which takes the generic one then.
    :param special_tokens: its markers are control tokens, which have to be rendered as text.
    :param reasons: its parser tells reasoning from content itself, also where there are no tools;
        what looks like a call is content then.
    :param openings: texts that a prompt may end with and that its parser has to know of, since the
        output goes on from there: it is fed with the one that does.
    :param stops: strings that end a turn with calls, where no end-of-generation token does.
    """

    name: str
    recognizes: Callable[[str], bool]
    parser: Callable[[Sequence[Tool]], Parser]
    shapes: CallShapes | None = None
    special_tokens: bool = False
    reasons: bool = False
    openings: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()

    def shapes_of(self, tools: Sequence[Tool]) -> CallShapes | None:
        """How calls of these tools are written; None if they cannot be forced in this format."""
        can_force = self.shapes is not None and all(map(self.shapes.fits, tools))
        return self.shapes if can_force else None

    def opening_of(self, prompt: str) -> str:
        """What a parser has to be fed with before the output of this prompt; mostly ""."""
        end = prompt[-_MAX_OPENING:].rstrip()
        return next((opening for opening in self.openings if end.endswith(opening.rstrip())), "")
