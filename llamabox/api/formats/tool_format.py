"""How models of one kind are told of tools, and how they call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .events import Parser


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

    :param before: pieces in front of the first call.
    :param call: one call of a tool.
    :param between: pieces between two calls.
    :param after: pieces behind the last call.
    :param trigger: text in the first literals of these that tells where the model may also answer
        in plain text that a call begins: one token, or text without control tokens. None for a
        control token, or text, that they begin with; "" if nothing tells.
    :param fits: whether `call` has all that may be said of a tool's arguments.
    """

    call: Callable[[Tool], tuple[Piece, ...]]
    before: tuple[Piece, ...] = ()
    between: tuple[Piece, ...] = ()
    after: tuple[Piece, ...] = ()
    trigger: str | None = None
    fits: Callable[[Tool], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Tags:
    """What a model writes around its reasoning, without white space at the ends."""

    opening: str
    closing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReasoning:
    """How a model writes reasoning that its format's parser tells from content.

    :param space: white space that it writes in front of the opening tag.
    :param resumed: what it writes behind the closing tag, in front of calls and of its answer.
    :param answer: what it writes in front of its answer, behind that.
    """

    tags: Tags
    space: str = ""
    resumed: str = ""
    answer: str = ""

    @property
    def opening(self) -> str:
        """What reasoning begins with."""
        return self.space + self.tags.opening

    def lead(self, *, is_open: bool) -> str:
        """What is in front of an answer, the reasoning and its end left out.

        :param is_open: the prompt has opened the reasoning.
        """
        return self.resumed if is_open else self.opening + self.resumed


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFormat:
    """One way to write calls.

    :param name: for tests.
    :param recognizes: whether a chat template (its Jinja source) has the model write this format.
    :param parser: a new parser of one output, given the tools that are offered.
    :param shapes: how calls that have to be made are written; None if they cannot be forced in
        this format, which takes the generic one then.
    :param special_tokens: its markers are control tokens, which have to be rendered as text.
    :param reasoning: its parser tells reasoning from content itself, also where there are no tools;
        what looks like a call is content then. Where the prompt has opened the reasoning, the
        parser is fed with what opens it first.
    :param marks_answers: its model writes marks around answers too, so that its parser reads them
        also where there are no tools, and finds no calls then.
    :param stops: strings that end a turn with calls, where no end-of-generation token does.
    """

    name: str
    recognizes: Callable[[str], bool]
    parser: Callable[[Sequence[Tool]], Parser]
    shapes: CallShapes | None = None
    special_tokens: bool = False
    reasoning: OwnReasoning | None = None
    marks_answers: bool = False
    stops: tuple[str, ...] = ()

    def shapes_of(self, tools: Sequence[Tool]) -> CallShapes | None:
        """How calls of these tools are written; None if they cannot be forced in this format."""
        can_force = self.shapes is not None and all(map(self.shapes.fits, tools))
        return self.shapes if can_force else None
