"""What a chat template can take."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What can be given to a template without losing it or being refused.

    :param string_content: content as text.
    :param typed_content: content as a list of parts with a `type`.
    :param system: a system message.
    :param developer: messages of the role `developer`, which is the system's elsewhere.
    :param tools: tools, which it describes to the model.
    :param empty_tools: no tools have to be an empty list.
    :param tool_calls: an assistant's calls.
    :param parallel_calls: several calls in one message.
    :param object_arguments: their arguments as an object, and not as JSON text.
    :param null_content: content has to be None in a message with calls, and not "".
    :param short_call_ids: ids of calls have to be nine characters.
    :param tool_results: messages of the role `tool`.
    :param reasoning: an assistant's reasoning since the last user message.
    :param old_reasoning: reasoning of earlier turns.
    :param reasoning_with_content: reasoning in a message that has both content and calls.
    """

    string_content: bool = True
    typed_content: bool = False
    system: bool = True
    developer: bool = False
    tools: bool = True
    empty_tools: bool = False
    tool_calls: bool = True
    parallel_calls: bool = True
    object_arguments: bool = True
    null_content: bool = False
    short_call_ids: bool = False
    tool_results: bool = True
    reasoning: bool = False
    old_reasoning: bool = False
    reasoning_with_content: bool = True
