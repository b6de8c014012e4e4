"""The LoRA adapters of a request: llama-server's and llama-box's ``lora``."""

from __future__ import annotations

from typing import Any

from .schema_fields import Fields

__all__ = ["read_adapters"]

MAX_ADAPTERS = 256


def read_adapters(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``: (id, scale) pairs; unlisted ones are off.

    :raises InvalidRequest: it is no list of ``{"id", "scale"}``, or an id comes twice.
    """
    adapters = fields.objects("lora", MAX_ADAPTERS)
    if adapters is None:
        return {}
    scales: dict[int, float] = {}
    for adapter in adapters:
        index, scale = adapter.integer("id"), adapter.number("scale")
        if index is None or index < 0:
            raise adapter.refuse("id", "must be an adapter's number, from 0")
        if index in scales:
            raise adapter.refuse("id", f"{index} is there already")
        if scale is None:
            raise adapter.refuse("scale", "is required")
        scales[index] = scale
    return {"lora": tuple(scales.items())}
