"""What the output has to keep to: a grammar, a JSON schema, a response format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields
from .schema_unsupported import refuse_unsupported

__all__ = ["read_constraints"]

NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "grammar": ("",),
    "json_schema": ({},),
    "response_format": ({"type": "text"},),
}


def read_constraints(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None for a field that is not there.

    :raises InvalidRequest: a field is mistyped or not supported.
    """
    refuse_unsupported(fields, NOT_SUPPORTED)
    return {}
