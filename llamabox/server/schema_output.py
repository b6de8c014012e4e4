"""When the output ends, and how the request is served: limits, stop strings, the cache, order."""

from __future__ import annotations

from typing import Any

from .schema_fields import Fields

__all__ = ["LENGTH_FIELDS", "length_field", "read_output"]

LENGTH_FIELDS = ("max_completion_tokens", "max_tokens", "n_predict")
"""Names of the output limit; the first that is there counts."""


INTEGER_FIELDS = ("n_keep", "n_discard", "n_cache_reuse", "priority")


def length_field(fields: Fields) -> str:
    """The name under which the body gives the output limit."""
    return next((name for name in LENGTH_FIELDS if fields.present(name)), "n_predict")


def read_output(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None for a field that is not there.

    :raises InvalidRequest: a field is mistyped.
    """
    limits = {name: fields.integer(name) for name in LENGTH_FIELDS}
    changes: dict[str, Any] = {"n_predict": limits[length_field(fields)]}
    stop = fields.strings("stop")
    changes["stop"] = None if stop is None else tuple(stop)
    for name in INTEGER_FIELDS:
        changes[name] = fields.integer(name)
    changes["deadline"] = fields.number("deadline")
    for name in ("ignore_eos", "cache_prompt"):
        changes[name] = fields.boolean(name) if fields.present(name) else None
    return changes
