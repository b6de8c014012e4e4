"""OpenAI's tools and which of them may be called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields
from .schema_unsupported import refuse_unsupported

__all__ = ["read_tools"]

NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "function_call": ("auto", "none"),
    "functions": ([],),
    "parallel_tool_calls": (True,),
    "tool_choice": ("auto", "none"),
}


def read_tools(fields: Fields) -> list[dict[str, Any]] | None:
    """The tools as they came; they are only checked. None if the caller wants none used.

    :raises InvalidRequest: one is not a function with a name, or a field is not supported.
    """
    refuse_unsupported(fields, NOT_SUPPORTED)
    tools = fields.objects("tools") or []
    for tool in tools:
        if tool.string("type") not in (None, "function"):
            raise tool.refuse("type", 'only "function" is supported')
        function = tool.object("function")
        if function is None:
            raise tool.refuse("function", "is required")
        if not function.string("name"):
            raise function.refuse("name", "is required")
        function.string("description")
        function.object("parameters")
    uses_tools = fields.raw("tool_choice") != "none"
    return [dict(tool.values) for tool in tools] if tools and uses_tools else None
