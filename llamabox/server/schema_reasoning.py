"""What a chat asks of the model's reasoning."""

from __future__ import annotations

from typing import Any

from .schema_fields import Fields

__all__ = ["read_reasoning"]


def read_reasoning(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None for a field that is not there."""
    return {}
