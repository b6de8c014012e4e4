"""What a chat asks of its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields
from .schema_unsupported import refuse_unsupported

__all__ = ["read_template"]

NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {"continue_final_message": (False,)}


def read_template(fields: Fields) -> dict[str, Any]:
    """Fields of `ChatRequest`: ``template_kwargs`` and ``add_generation_prompt``.

    :raises InvalidRequest: a field is mistyped or not supported.
    """
    refuse_unsupported(fields, NOT_SUPPORTED)
    kwargs = fields.object("chat_template_kwargs")
    return {
        "template_kwargs": dict(kwargs.values) if kwargs else {},
        "add_generation_prompt": fields.boolean("add_generation_prompt", default=True),
    }
