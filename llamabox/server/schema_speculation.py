"""What a request says of drafts: ``speculative.*``, dotted or as an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields

__all__ = ["SPECULATION_FIELDS", "read_speculation"]

SPECULATION_FIELDS: Mapping[str, str] = {
    "n_draft_max": "speculative.n_max",
    "n_draft_min": "speculative.n_min",
    "draft_p_min": "speculative.p_min",
}
"""Names in a body by those of the parameters."""


def read_speculation(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None or nothing for a field that is not there.

    ``"speculative": false`` drafts nothing. A dotted field wins over one in the object.

    :raises InvalidRequest: a field is mistyped.
    """
    if not fields.given(("speculative", *SPECULATION_FIELDS.values())):
        return {}
    changes: dict[str, Any] = {
        "n_draft_max": fields.integer("speculative.n_max"),
        "n_draft_min": fields.integer("speculative.n_min"),
        "draft_p_min": fields.number("speculative.p_min"),
    }
    value = fields.raw("speculative")
    if isinstance(value, bool):
        nested: dict[str, Any] = {} if value else {"n_draft_max": 0}
    else:
        nested = _read_object(fields.object("speculative"))
    return {
        name: nested.get(name) if change is None else change for name, change in changes.items()
    }


def _read_object(settings: Fields | None) -> dict[str, Any]:
    if settings is None:
        return {}
    return {
        "n_draft_max": settings.integer("n_max"),
        "n_draft_min": settings.integer("n_min"),
        "draft_p_min": settings.number("p_min"),
    }
