"""A conversation, and what is asked of the assistant's next turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..checks import check_bool
from ..errors import InvalidRequest
from ..params import ReasoningParams
from .chat import ChatTemplate, Message
from .continuation import Begun, ContinueField, begun_of
from .thinking import end_thinking, tags_of, thinking_variables
from .tools import ToolChoice, ToolLike, ToolUse, tool_use

DEFAULT_REASONING = ReasoningParams()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A prompt that a chat template renders.

    :param messages: mappings with a `role` and the fields that the template reads.
    :param tools: that the assistant may call: each a `Tool`, or a mapping as templates know it.
    :param tool_choice: "auto" leaves it to the model; "none" shows it no tools; "required" has it
        call one or more of them; a tool, or its name, has it call that one.
    :param parallel_tool_calls: whether there may be several calls; else the turn ends behind one.
    :param template_kwargs: more variables for the template.
    :param reasoning: whether there is to be some, how much, and where it is told.
    :param add_generation_prompt: end with the head of the assistant's turn.
    :param continue_final_message: end inside the last message, which is the assistant's (see
        `ChatTemplate.render`).
    :raises InvalidRequest: `reasoning`, `template_kwargs` or a boolean is of another kind.
    """

    messages: Sequence[Message]
    tools: Sequence[ToolLike] | None = None
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    template_kwargs: Mapping[str, Any] | None = None
    add_generation_prompt: bool = True
    reasoning: ReasoningParams = DEFAULT_REASONING
    continue_final_message: ContinueField = False

    def __post_init__(self) -> None:
        reasoning: Any = self.reasoning
        if not isinstance(reasoning, ReasoningParams):
            reason = f"{reasoning!r} is no ReasoningParams"
            raise InvalidRequest(f"reasoning: {reason}", param="reasoning")
        given: Any = self.template_kwargs
        if given is not None and not isinstance(given, Mapping):
            reason = f"{given!r} is no mapping"
            raise InvalidRequest(f"template_kwargs: {reason}", param="template_kwargs")
        check_bool(self, "parallel_tool_calls")
        check_bool(self, "add_generation_prompt")

    @classmethod
    def split(
        cls, messages: Sequence[Message], options: Mapping[str, Any]
    ) -> tuple[Conversation, dict[str, Any]]:
        """A conversation of those options that are its fields, and the other options."""
        names = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in options.items() if name in names}
        others = {name: value for name, value in options.items() if name not in names}
        return cls(messages=messages, **fields), others

    @classmethod
    def of(cls, messages: Sequence[Message], fields: Mapping[str, Any]) -> Conversation:
        """A conversation with these fields.

        :raises InvalidRequest: one is wrong, or there is no such field.
        """
        conversation, others = cls.split(messages, fields)
        if others:
            raise InvalidRequest(f"{min(others)}: a conversation has no such field")
        return conversation

    def render(self, template: ChatTemplate, use: ToolUse | None = None) -> str:
        """The prompt; raises as `ChatTemplate.render` and `tool_use`.

        :param use: what `tool_use` says, if it is known.
        """
        given = self.template_kwargs or {}
        text = template.render(
            self.messages,
            tools=(use or self.tool_use()).described,
            variables=thinking_variables(self.reasoning, given),
            add_generation_prompt=self.add_generation_prompt,
            continue_final_message=self.continue_final_message,
        )
        return end_thinking(tags_of(template), text, self.reasoning, given, self.begun())

    def begun(self) -> Begun:
        """What there is of the message that is to be continued; raises as `render`."""
        return begun_of(self.messages, self.continue_final_message)

    def tool_use(self) -> ToolUse:
        """:raises InvalidRequest: the tools or the choice among them are wrong."""
        return tool_use(self.tools, self.tool_choice, parallel=self.parallel_tool_calls)
