"""The tools of a turn: which there are, which of them may be called, and whether one has to be."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from .formats import Tool

__all__ = ["Tool", "ToolChoice", "ToolLike", "ToolUse", "read_tool", "tool_use"]

ToolLike = Tool | Mapping[str, Any]
"""A tool, or its description in the form that chat templates know."""
ToolChoice = str | Tool
"""``auto``, ``none``, ``required``, a tool that has to be called, or its name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """What a turn does with tools.

    :param described: the tools as chat templates get them; none of them are shown if it is empty.
    :param tools: those that may be called.
    :param is_forced: the turn is a call, or several.
    :param parallel: it may be several.
    """

    described: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Tool, ...] = ()
    is_forced: bool = False
    parallel: bool = True

    @property
    def is_constrained(self) -> bool:
        """Whether the model is kept from writing what it would: a call, or other arguments."""
        return self.is_forced or any(tool.strict for tool in self.tools)


def tool_use(
    given: Sequence[ToolLike] | None, choice: ToolChoice = "auto", *, parallel: bool = True
) -> ToolUse:
    """:raises InvalidRequest: a tool has no name, two share one, or the choice is none of them."""
    listed: Any = given
    if isinstance(listed, str) or not isinstance(listed, Sequence | None):
        raise InvalidRequest(f"tools: {given!r} is no sequence of tools", param="tools")
    tools = tuple(map(read_tool, given or ()))
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        double = next(name for name, n in collections.Counter(names).items() if n > 1)
        raise InvalidRequest(f"tools: there are two of the name {double!r}", param="tools")
    if choice == "none" or (choice == "auto" and not tools):
        return ToolUse()
    described = tuple(map(_described, given or (), tools))
    if choice in ("auto", "required"):
        if not tools:
            raise InvalidRequest("tool_choice: there are no tools", param="tool_choice")
        return ToolUse(
            described=described, tools=tools, is_forced=choice == "required", parallel=parallel
        )
    name = choice.name if isinstance(choice, Tool) else choice
    chosen = tuple(tool for tool in tools if tool.name == name)
    if not chosen:
        raise InvalidRequest(f"tool_choice: there is no tool {name!r}", param="tool_choice")
    return ToolUse(described=described, tools=chosen, is_forced=True, parallel=parallel)


def read_tool(given: ToolLike) -> Tool:
    """:raises InvalidRequest: it has no name, or its parameters are no object."""
    if isinstance(given, Tool):
        return given
    described: Any = given
    function = described.get("function", given) if isinstance(described, Mapping) else None
    if not isinstance(function, Mapping):
        raise InvalidRequest("tools: one is no description of a function", param="tools")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequest("tools: one has no name", param="tools")
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise InvalidRequest(f"tools: the parameters of {name!r} are no object", param="tools")
    return Tool(name, function.get("description") or "", parameters, bool(function.get("strict")))


def _described(given: ToolLike, tool: Tool) -> Mapping[str, Any]:
    if not isinstance(given, Tool):
        return given
    function: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters:
        function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}
