"""Fields that would change the reply and are not supported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields

__all__ = ["refuse_unsupported"]


def refuse_unsupported(fields: Fields, neutral: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse fields by name.

    :param neutral: the values under which each would change nothing.
    :raises InvalidRequest: one is there with another value.
    """
    for name in fields.given(neutral):
        value = fields.values[name]
        # True == 1 in Python, but `"n": true` is not `"n": 1`.
        is_neutral = any(
            value == other and isinstance(value, bool) == isinstance(other, bool)
            for other in neutral[name]
        )
        if not is_neutral:
            raise fields.refuse(name, "is not supported by this server with this value")
