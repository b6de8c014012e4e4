"""JSON bodies of chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ..api import ChatMessage, Chunk, Completion, Content, SampledToken
from .reply_deltas import EMPTY_DELTA, call_fields, deltas
from .reply_logprobs import chat_logprobs
from .reply_openai import OpenAIReply
from .schema import GenerationRequest
from .schema_tools import ToolFields
from .sse import event

__all__ = ["ChatReply"]


class ChatReply(OpenAIReply):
    """``/v1/chat/completions``.

    :param tools: which there were, and how their calls are told.
    """

    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def __init__(
        self, model: str, asked: GenerationRequest, tools: ToolFields | None = None
    ) -> None:
        super().__init__("chatcmpl", model, asked)
        tools = tools or ToolFields(tools=[])
        self._is_legacy = tools.is_legacy
        # A client that adds deltas up is left with null content if there are only calls.
        self._may_call = bool(tools.tools) and tools.choice != "none"
        self.empty_part = b"{}" if self._may_call else EMPTY_DELTA

    def delta(self, part: Any) -> dict[str, Any]:
        return {"delta": part}

    def last_delta(self) -> dict[str, Any]:
        return {"delta": {}}

    def parts(self, chunk: Chunk) -> list[bytes]:
        events = chunk.events
        if events is None:
            events = (Content(chunk.text),) if chunk.text else ()
        return deltas(events, is_legacy=self._is_legacy)

    def answer(self, completion: Completion, index: int) -> dict[str, Any]:
        said = completion.message or ChatMessage(completion.text)
        message: dict[str, Any] = {"role": "assistant", "content": said.content, "refusal": None}
        if said.reasoning is not None:
            message["reasoning_content"] = said.reasoning
        return {"message": message | call_fields(said.tool_calls, is_legacy=self._is_legacy)}

    def finish_reason(self, completion: Completion) -> str:
        reason = super().finish_reason(completion)
        if reason != "stop" or completion.message is None or not completion.message.tool_calls:
            return reason
        return "function_call" if self._is_legacy else "tool_calls"

    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        return chat_logprobs(tokens)

    def head(self) -> bytes:
        role = {"role": "assistant", "content": None if self._may_call else ""}
        chunks = [self._chunk(self.delta(role), None, i) for i in range(self._n_choices)]
        return b"".join([event(orjson.dumps(chunk)) for chunk in chunks])
