"""When the output ends, and how the request is served: limits, stop strings, the cache, order."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRequest
from .schema_fields import Fields

__all__ = ["LENGTH_FIELDS", "OTHER_NAMES", "length_field", "named_in_body", "read_output"]

LENGTH_FIELDS = ("max_completion_tokens", "max_tokens", "n_predict")
"""Names of the output limit; the first that is there counts."""

INTEGER_FIELDS = ("n_keep", "n_discard", "n_cache_reuse", "n_indent", "priority")
SWITCHES = ("ignore_eos", "cache_prompt")
OTHER_NAMES = {
    "n_predict_min": "min_tokens",
    "max_predict_time": "t_max_predict_ms",
    "slot": "id_slot",
}
"""Names in a body by those of the parameters, where they differ."""
NO_LIMIT = -1


def length_field(fields: Fields) -> str:
    """The name under which the body gives the output limit."""
    return next(iter(fields.given(LENGTH_FIELDS)), "n_predict")


def named_in_body(error: InvalidRequest) -> InvalidRequest:
    """`error` of a parameter, with the name that it has in a body."""
    name = OTHER_NAMES.get(error.param or "")
    return error if name is None else error.about(name)


def read_output(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None or nothing for a field that is not there.

    :raises InvalidRequest: a field is mistyped.
    """
    limits = fields.integers(LENGTH_FIELDS)
    changes: dict[str, Any] = {"n_predict": limits.get(length_field(fields))}
    stop = fields.strings("stop")
    changes["stop"] = None if stop is None else tuple(filter(None, stop))
    changes |= fields.integers(INTEGER_FIELDS)
    changes["deadline"] = fields.number("deadline")
    changes["n_predict_min"] = fields.integer("min_tokens")
    changes["slot"] = fields.integer("id_slot")
    changes["max_predict_time"] = _read_milliseconds(fields, "t_max_predict_ms")
    changes |= {name: fields.boolean(name) for name in fields.given(SWITCHES)}
    return changes


def _read_milliseconds(fields: Fields, name: str) -> float | None:
    """Seconds; 0 for no limit."""
    value = fields.number(name)
    if value is None:
        return None
    if value < 0 and value != NO_LIMIT:
        raise fields.refuse(name, f"{value} is neither {NO_LIMIT} nor 0 or more")
    return max(0.0, value) / 1000
