"""Brings a conversation to the form that a chat template can take, losing as little as it can."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from .capabilities import Capabilities

Message = dict[str, Any]

REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")
"""Names of an assistant's reasoning; the first that is there counts."""
CALL_ID_LENGTH = 9
PARTED = "\n\n"
"""Between texts that become one message."""


def adapt(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    capabilities: Capabilities,
    call_example: str = "",
    write_calls: Callable[[Sequence[Mapping[str, Any]]], str] | None = None,
) -> tuple[list[Message], list[dict[str, Any]] | None]:
    """Messages and tools for a template with these capabilities; the given ones are not changed.

    :param call_example: a call as the model is to write it, where tools are described here.
    :param write_calls: writes calls, where the template does not; by default in the generic form.
    :raises InvalidRequest: the arguments of a call are neither an object nor text.
    """
    adapted = [_with_reasoning(dict(message), capabilities) for message in messages]
    _rename_developers(adapted, capabilities)
    _name_results(adapted)
    if capabilities.null_content and capabilities.tool_calls:
        adapted = [part for message in adapted for part in _calls_apart(message)]
    _convert_calls(adapted, capabilities)
    if not capabilities.parallel_calls and capabilities.tool_calls:
        adapted = _one_call_each(adapted, None if capabilities.null_content else "")
    if not capabilities.tool_calls:
        write = write_calls or _generic_calls
        adapted = [_with_calls_as_text(message, write) for message in adapted]
    if not capabilities.tool_results:
        adapted = _results_of_users(adapted)
    given = [dict(tool) for tool in tools] if tools else None
    if given and not capabilities.tools:
        _describe_tools(adapted, given, call_example)
        given = None
    if given is None and capabilities.empty_tools:
        given = []
    if not capabilities.system:
        adapted = _system_of_users(adapted)
    for message in adapted:
        _convert_content(message, capabilities)
    return adapted, given


def text_of(content: Any) -> str:
    """The text of a content: parts are joined by line ends, as llama-server joins them."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content)


def generic_call(name: Any, arguments: Any) -> str:
    """A call as a model writes it whose template has no form of its own for calls."""
    made = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{made}\n</tool_call>"


def _with_reasoning(message: Message, capabilities: Capabilities) -> Message:
    """The message with its reasoning under the names that templates read."""
    if message.get("role") != "assistant":
        return message
    names = (name for name in REASONING_FIELDS if message.get(name) is not None)
    reasoning = next((message[name] for name in names), None)
    if reasoning is None:
        return message
    content = text_of(message.get("content"))
    if content and message.get("tool_calls") and not capabilities.reasoning_with_content:
        reasoning, message["content"] = f"{reasoning}{PARTED}{content}", ""
    return message | dict.fromkeys(REASONING_FIELDS, reasoning)


def _rename_developers(messages: list[Message], capabilities: Capabilities) -> None:
    for message in messages:
        if message.get("role") == "developer" and not capabilities.developer:
            message["role"] = "system"


def _calls_apart(message: Message) -> tuple[Message, ...]:
    """The message, or its text and its calls."""
    content = text_of(message.get("content"))
    if not content or not message.get("tool_calls"):
        return (message,)
    return {"role": message["role"], "content": content}, {**message, "content": None}


def _name_results(messages: list[Message]) -> None:
    """Name the tool of each result: OpenAI's clients give the call's id only."""
    names: dict[str, Any] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            names[str(call.get("id"))] = _function(call).get("name")
        if message.get("role") == "tool" and message.get("name") is None:
            name = names.get(str(message.get("tool_call_id")))
            if name is not None:
                message["name"] = name


def _convert_calls(messages: list[Message], capabilities: Capabilities) -> None:
    for i, message in enumerate(messages):
        calls = message.get("tool_calls")
        if calls:
            message["tool_calls"] = [
                _converted(call, capabilities, f"messages[{i}].tool_calls[{j}]")
                for j, call in enumerate(calls)
            ]
            if not message.get("content"):
                message["content"] = None if capabilities.null_content else ""
        elif message.get("content") is None:
            message["content"] = ""
        if capabilities.short_call_ids and message.get("role") == "tool":
            message["tool_call_id"] = _short_id(message.get("tool_call_id"))


def _converted(call: Mapping[str, Any], capabilities: Capabilities, path: str) -> dict[str, Any]:
    """A call with its arguments and its id as the template wants them."""
    function = _function(call)
    arguments = function.get("arguments")
    wants_text = not capabilities.object_arguments and capabilities.tool_calls
    if wants_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    elif not wants_text:
        arguments = _object(arguments, f"{path}.function.arguments")
    converted = {**call, "type": "function", "function": {**function, "arguments": arguments}}
    if capabilities.short_call_ids:
        converted["id"] = _short_id(call.get("id"))
    return converted


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function of a call, which may also be given bare."""
    function = call.get("function")
    return function if isinstance(function, Mapping) else call


def _object(arguments: Any, path: str) -> dict[str, Any] | str:
    """The object that text holds; text that holds none, such as a model's mistake, is left."""
    if isinstance(arguments, str):
        try:
            read = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return arguments
        return read if isinstance(read, dict) else arguments
    if arguments is None:
        return {}
    if not isinstance(arguments, Mapping):
        raise InvalidRequest(f"{path}: must be an object or JSON text", param=path)
    return dict(arguments)


def without_broken_arguments(messages: Sequence[Message]) -> list[Message] | None:
    """Adapted messages with no arguments where those of a call are text; None if there are none.

    For templates that fail on text, as they take the object apart.
    """
    cleared = [_without_text(message) for message in messages]
    return cleared if cleared != list(messages) else None


def _without_text(message: Message) -> Message:
    calls = message.get("tool_calls")
    if not calls:
        return message
    empty = [
        {**call, "function": {**call["function"], "arguments": {}}}
        if isinstance(call["function"].get("arguments"), str)
        else call
        for call in calls
    ]
    return {**message, "tool_calls": empty}


def _short_id(call_id: Any) -> str:
    """An id of nine characters, the same for the same id."""
    text = str(call_id)
    if len(text) == CALL_ID_LENGTH and text.isalnum():
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:CALL_ID_LENGTH]


def _one_call_each(messages: list[Message], empty: str | None) -> list[Message]:
    """Each call in a message of its own, in front of its result.

    :param empty: the content of those that are added.
    """
    apart: list[Message] = []
    i = 0
    while i < len(messages):
        message = messages[i]
        i += 1
        calls = message.get("tool_calls") or ()
        if len(calls) < 2:
            apart.append(message)
            continue
        results = []
        while i < len(messages) and messages[i].get("role") == "tool":
            results.append(messages[i])
            i += 1
        rest = {name: value for name, value in message.items() if name not in REASONING_FIELDS}
        for call, own in zip(calls, _results_of(calls, results), strict=True):
            apart += [{**message, "tool_calls": [call]}, *own]
            message = {**rest, "content": empty}
    return apart


def _results_of(
    calls: Sequence[Mapping[str, Any]], results: Sequence[Message]
) -> list[list[Message]]:
    """The results of each call: those with its id, else the next one; the last has the rest."""
    left = OrderedDict(enumerate(results))
    places: dict[str, list[int]] = {}
    for i, result in left.items():
        places.setdefault(str(result.get("tool_call_id")), []).append(i)
    shared = []
    for call in calls[:-1]:
        own = [left.pop(i) for i in places.pop(str(call.get("id")), ()) if i in left]
        if not own and left:
            own = [left.popitem(last=False)[1]]
        shared.append(own)
    return [*shared, list(left.values())]


def _with_calls_as_text(
    message: Message, write_calls: Callable[[Sequence[Mapping[str, Any]]], str]
) -> Message:
    """The message with its calls in its content."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    content, written = text_of(message.get("content")), write_calls(calls)
    plain = {name: value for name, value in message.items() if name != "tool_calls"}
    return {**plain, "content": f"{content}\n{written}" if content else written}


def _generic_calls(calls: Sequence[Mapping[str, Any]]) -> str:
    functions = [call["function"] for call in calls]
    return "\n".join(generic_call(each.get("name"), each["arguments"]) for each in functions)


def _results_of_users(messages: list[Message]) -> list[Message]:
    """Results as what the user says, and with what the user says next."""
    merged: list[Message] = []
    said: list[str] = []
    for message in messages:
        role = message.get("role")
        if role == "tool":
            content = text_of(message.get("content"))
            said.append(f"<tool_response>\n{content}\n</tool_response>")
        elif said and role == "user":
            merged.append(_said([*said, text_of(message.get("content"))]))
            said = []
        else:
            if said:
                merged.append(_said(said))
                said = []
            merged.append(message)
    if said:
        merged.append(_said(said))
    return merged


def _said(texts: Sequence[str]) -> Message:
    """What the user says."""
    return {"role": "user", "content": "\n".join(texts)}


def _describe_tools(
    messages: list[Message], tools: list[dict[str, Any]], call_example: str
) -> None:
    """Say in the system message which tools there are and how one is called."""
    described = "\n".join(json.dumps(_function(tool), ensure_ascii=False) for tool in tools)
    example = call_example or generic_call("NAME", {}).replace("{}", "{...}")
    text = (
        "You can call these tools, given as one JSON object a line:\n"
        f"<tools>\n{described}\n</tools>\n"
        f"To call a tool, write this with its name and its arguments:\n{example}"
    )
    if messages and messages[0].get("role") == "system":
        messages[0]["content"] = text_of(messages[0].get("content")) + PARTED + text
    else:
        messages.insert(0, {"role": "system", "content": text})


def _system_of_users(messages: list[Message]) -> list[Message]:
    """System messages as the beginning of what the user says next.

    A line end parts them, as in llama-server.
    """
    merged: list[Message] = []
    pending: list[str] = []
    for message in messages:
        if message.get("role") == "system":
            pending.append(text_of(message.get("content")))
            continue
        if pending and message.get("role") == "user":
            content = "\n".join([*pending, text_of(message.get("content"))])
            merged.append({**message, "content": content})
            pending = []
            continue
        if pending and message.get("role") != "tool":
            merged.append({"role": "user", "content": "\n".join(pending)})
            pending = []
        merged.append(message)
    if pending:
        merged.append({"role": "user", "content": "\n".join(pending)})
    return merged


def _convert_content(message: Message, capabilities: Capabilities) -> None:
    """Text or parts, as the template wants them. Results are text wherever text is taken."""
    content = message.get("content")
    takes_parts = capabilities.typed_content and (
        message.get("role") != "tool" or not capabilities.string_content
    )
    if isinstance(content, str):
        if not capabilities.string_content:
            message["content"] = [{"type": "text", "text": content}]
    elif isinstance(content, Sequence):
        message["content"] = list(content) if takes_parts else text_of(content)
