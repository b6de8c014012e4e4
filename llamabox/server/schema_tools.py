"""OpenAI's tools and which of them may be called, also in the form that it had before tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..api import Tool
from .schema_fields import Fields, json_type

__all__ = ["ToolFields", "read_tools"]

CHOICES = ("auto", "none", "required")
MAX_TOOLS = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolFields:
    """What a request says of tools.

    :param tools: each a function, in the form of ``tools``.
    :param choice: one of `CHOICES`, or the tool that has to be called.
    :param parallel: there may be several calls.
    :param is_legacy: they came as ``functions``, and the reply has a ``function_call``.
    """

    tools: list[dict[str, Any]]
    choice: str | Tool = "auto"
    parallel: bool = True
    is_legacy: bool = False


def read_tools(fields: Fields) -> ToolFields:
    """``tools``, ``tool_choice`` and ``parallel_tool_calls``, or ``functions`` and
    ``function_call``, which are not looked at beside them.

    :raises InvalidRequest: one is not a function with a name, there are more than `MAX_TOOLS`, or
        none of them is chosen.
    """
    parallel = fields.boolean("parallel_tool_calls", default=True)
    tools = [_read_tool(tool) for tool in fields.objects("tools", MAX_TOOLS) or ()]
    listed = fields.objects("functions", MAX_TOOLS) or ()
    functions = [_read_function(function) for function in listed]
    if functions and not tools:
        tools = [{"type": "function", "function": function} for function in functions]
        choice = _read_choice(fields, "function_call", tools)
        return ToolFields(tools=tools, choice=choice, parallel=False, is_legacy=True)
    fields.raw("function_call")
    tools = _read_allowed(fields, tools)
    choice = _read_choice(fields, "tool_choice", tools)
    return ToolFields(tools=tools, choice=choice, parallel=parallel)


def _read_tool(tool: Fields) -> dict[str, Any]:
    if tool.string("type") not in (None, "function"):
        raise tool.refuse("type", 'only "function" is supported')
    function = tool.object("function")
    if function is None:
        raise tool.refuse("function", "is required")
    return {**tool.values, "type": "function", "function": _read_function(function)}


def _read_function(function: Fields) -> dict[str, Any]:
    if not function.string("name"):
        raise function.refuse("name", "is required")
    function.string("description")
    function.object("parameters")
    function.boolean("strict")
    return dict(function.values)


def _read_choice(fields: Fields, name: str, tools: Sequence[dict[str, Any]]) -> str | Tool:
    value = fields.raw(name)
    if value is None:
        return "auto"
    if isinstance(value, str):
        if value not in CHOICES:
            raise fields.refuse(name, f"{value!r} is not one of {', '.join(CHOICES)}")
        if value == "required" and not tools:
            raise fields.refuse(name, "there are no tools")
        return value
    if not isinstance(value, dict):
        raise fields.refuse(name, f"must be a string or an object, not {json_type(value)}")
    return _read_allowed_mode(fields, name) or _read_named(fields, name, tools)


def _read_named(fields: Fields, name: str, tools: Sequence[dict[str, Any]]) -> Tool:
    """The tool of the object form: its name is in a ``function``, or beside the ``type``."""
    choice = fields.object(name)
    assert choice is not None
    if choice.string("type") not in (None, "function"):
        raise choice.refuse("type", 'must be "function" or "allowed_tools"')
    holder = choice.object("function") or choice
    wanted = holder.string("name")
    if not wanted:
        raise holder.refuse("name", "is required")
    if wanted not in _names(tools):
        raise holder.refuse("name", f"there is no tool {wanted!r}")
    return Tool(wanted)


def _read_allowed_mode(fields: Fields, name: str) -> str | None:
    allowed = _allowed(fields) if name == "tool_choice" else None
    if allowed is None:
        return None
    mode = allowed.string("mode") or "auto"
    if mode not in ("auto", "required"):
        raise allowed.refuse("mode", 'must be "auto" or "required"')
    return mode


def _read_allowed(fields: Fields, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools without those that an ``allowed_tools`` choice leaves out."""
    allowed = _allowed(fields)
    if allowed is None:
        return tools
    names = _names(tools)
    wanted = set()
    for tool in allowed.objects("tools", MAX_TOOLS) or ():
        holder = tool.object("function") or tool
        name = holder.string("name")
        if name not in names:
            raise holder.refuse("name", f"there is no tool {name!r}")
        wanted.add(name)
    if not wanted:
        raise allowed.refuse("tools", "must not be empty")
    return [tool for tool in tools if tool["function"]["name"] in wanted]


def _allowed(fields: Fields) -> Fields | None:
    choice = fields.object("tool_choice") if isinstance(fields.raw("tool_choice"), dict) else None
    if choice is None or choice.raw("type") != "allowed_tools":
        return None
    return choice.object("allowed_tools") or choice


def _names(tools: Sequence[dict[str, Any]]) -> set[str]:
    return {tool["function"]["name"] for tool in tools}
