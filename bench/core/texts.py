"""Output bytes: what a token costs between the piece table and the outbox."""

from __future__ import annotations

from collections.abc import Callable

from llamabox._core.text import Text

from ..report import Figure
from ..settings import Settings
from .timing import ns_per_call

PIECE = b" token"


def measure(settings: Settings) -> tuple[Figure, ...]:
    """`Text.push` of one piece through its Python window, which makes a bytes object."""
    n_calls = settings.count(20_000, 100)
    cases = (
        ("no stop strings", ()),
        ("4 stop strings", (b"\n\n", b"User:", b"</s>", b"###")),
    )
    return tuple(
        Figure(
            case=f"text of a token of 6 bytes, {name}",
            value=ns_per_call(_push(Text(stops)), n_calls),
            unit="ns",
        )
        for name, stops in cases
    )


def _push(text: Text) -> Callable[[], bytes]:
    return lambda: text.push(PIECE)
