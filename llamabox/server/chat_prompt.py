"""How the prompt of a chat ends: with the head of the assistant's turn, or inside its message."""

from __future__ import annotations

from ..api import Conversation
from ..errors import InvalidRequest
from .config import ServerConfig
from .schema import ChatRequest

__all__ = ["conversation_of"]


def conversation_of(asked: ChatRequest, config: ServerConfig) -> Conversation:
    """The conversation that a request asks to be gone on with.

    :raises InvalidRequest: two messages of the assistant end it, and it is not said what is to
        become of them.
    """
    continues = asked.continue_final_message
    if continues is None:
        continues = _is_prefilled(asked, config)
    return Conversation(
        messages=asked.messages,
        tools=asked.tools.tools,
        tool_choice=asked.tools.choice,
        parallel_tool_calls=asked.tools.parallel,
        template_kwargs={**config.chat_template_kwargs, **asked.template_kwargs},
        add_generation_prompt=asked.add_generation_prompt is not False and not continues,
        continue_final_message=continues,
        reasoning=asked.reasoning,
    )


def _is_prefilled(asked: ChatRequest, config: ServerConfig) -> bool:
    """Whether the last message is the beginning of the answer, as llama-server takes it."""
    roles = [message["role"] for message in asked.messages[-2:]]
    if not config.prefill_assistant or asked.add_generation_prompt or roles[-1] != "assistant":
        return False
    if asked.messages[-1].get("tool_calls"):
        return False
    if roles == ["assistant", "assistant"]:
        reason = "ends with two messages of the assistant, of which one cannot be continued"
        raise InvalidRequest(f"messages: {reason}", param="messages")
    return True
