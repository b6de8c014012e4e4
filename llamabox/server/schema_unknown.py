"""Fields of a body that nothing reads: told to the client, unless OpenAI's API has them."""

from __future__ import annotations

from collections.abc import Sequence

from .schema_fields import Fields

__all__ = ["IGNORED", "unknown_fields", "warning"]

IGNORED = frozenset(
    {
        "metadata",
        "moderation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
"""OpenAI's fields that change nothing here."""
MAX_NAME = 64
MAX_NAMES = 16
"""How much a header tells of them."""


def unknown_fields(fields: Fields) -> tuple[str, ...]:
    """Names in the body that nobody asked for, in their order; null is as absent."""
    known = fields.names_read | IGNORED
    given = fields.values
    return tuple(name for name in given if name not in known and given[name] is not None)


def warning(names: Sequence[str]) -> str:
    """A header's value that lists fields; visible ASCII only, and of bounded length."""
    shown = [_shown(name) for name in names[:MAX_NAMES]]
    rest = f", and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"unknown fields: {', '.join(shown)}{rest}"


def _shown(name: str) -> str:
    kept = "".join(char if "!" <= char <= "~" and char != "," else "?" for char in name[:MAX_NAME])
    return kept + ("..." if len(name) > MAX_NAME else "")
