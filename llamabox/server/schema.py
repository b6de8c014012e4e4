"""Request bodies to dataclasses: the one place that knows the field names of the dialects.

Each group of fields has a module of its own, ``schema_*``; what they read, and only that, is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..api import PromptLike
from ..errors import InvalidRequest
from ..params import ChoiceParams, GenerationParams, ReasoningParams
from .schema_adapters import read_adapters
from .schema_chat import read_messages
from .schema_choices import read_chat_probs, read_choices, read_text_probs
from .schema_constraints import read_constraints
from .schema_fields import Fields
from .schema_output import OTHER_NAMES, length_field, read_output
from .schema_prompt import read_infill_prompt, read_prompts
from .schema_reasoning import read_reasoning
from .schema_reply import ReplyOptions, read_reply_options
from .schema_sampling import read_sampling
from .schema_speculation import SPECULATION_FIELDS, read_speculation
from .schema_template import read_template
from .schema_tools import ToolFields, read_tools
from .schema_unknown import unknown_fields
from .schema_unsupported import refuse_unsupported

__all__ = [
    "ChatRequest",
    "GenerationRequest",
    "TextRequest",
    "read_chat",
    "read_infill",
    "read_text",
]

DEFAULT_REASONING = ReasoningParams()
ReadChanges = Callable[[Fields], dict[str, Any]]
"""Reads changes to the default ``GenerationParams``; None or nothing for a field that is not
there."""

GENERATION: tuple[ReadChanges, ...] = (
    read_sampling,
    read_speculation,
    read_output,
    read_adapters,
    read_constraints,
)
"""What all dialects read."""
CHAT: tuple[ReadChanges, ...] = (*GENERATION, read_chat_probs)
TEXT: tuple[ReadChanges, ...] = (*GENERATION, read_text_probs)

NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "modalities": (["text"],),
    "web_search_options": (),
}
"""Fields of no module that would change the reply, with the values under which they would not."""
NOT_IN_A_CHAT: Mapping[str, tuple[Any, ...]] = {"echo": (False,), "suffix": ("",)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What every dialect asks of a generation.

    :param choices: how many outputs of each prompt.
    :param reply: the form of the reply.
    :param unknown: names of fields that are not known.
    """

    params: GenerationParams
    choices: ChoiceParams
    reply: ReplyOptions
    unknown: tuple[str, ...]

    @property
    def stream(self) -> bool:
        return self.reply.stream

    @property
    def include_usage(self) -> bool:
        return self.reply.include_usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GenerationRequest):
    """``/v1/chat/completions``.

    :param tools: which there are, and which may be called.
    :param template_kwargs: variables for the chat template.
    :param add_generation_prompt: end the prompt where the assistant's turn begins; None if it is
        not said.
    :param continue_final_message: end it inside the last message; None if it is not said.
    :param reasoning: what becomes of the model's reasoning.
    """

    messages: list[dict[str, Any]]
    tools: ToolFields
    template_kwargs: dict[str, Any]
    add_generation_prompt: bool | None
    continue_final_message: bool | str | None
    reasoning: ReasoningParams


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest(GenerationRequest):
    """``/v1/completions`` and ``/completion``.

    :param prompts: each gets its own choices.
    :param echo: the outputs begin with their prompts.
    """

    prompts: list[PromptLike]
    echo: bool


def read_chat(
    body: Mapping[str, Any],
    defaults: GenerationParams,
    reasoning: ReasoningParams = DEFAULT_REASONING,
) -> ChatRequest:
    """A chat request.

    :param reasoning: what one gets that says nothing of it.
    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    refuse_unsupported(fields, NOT_IN_A_CHAT)
    own: dict[str, Any] = {
        **read_template(fields),
        "tools": read_tools(fields),
        "messages": read_messages(fields),
        "reasoning": read_reasoning(fields, reasoning),
    }
    return ChatRequest(**own, **_read_generation(fields, defaults, CHAT))


def read_text(body: Mapping[str, Any], defaults: GenerationParams) -> TextRequest:
    """A text completion.

    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    prompts, echo = read_prompts(fields), fields.boolean("echo")
    request = TextRequest(prompts=prompts, echo=echo, **_read_generation(fields, defaults, TEXT))
    if request.echo and request.params.n_probs >= 0:
        raise fields.refuse("echo", "log probabilities of a prompt are not supported")
    return request


def read_infill(body: Mapping[str, Any], defaults: GenerationParams) -> TextRequest:
    """llama-server's ``/infill``.

    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    prompts: list[PromptLike] = [read_infill_prompt(fields)]
    return TextRequest(prompts=prompts, echo=False, **_read_generation(fields, defaults, TEXT))


def _read_generation(
    fields: Fields, defaults: GenerationParams, readers: tuple[ReadChanges, ...]
) -> dict[str, Any]:
    """Reads last, as it also tells what nobody has read."""
    refuse_unsupported(fields, NOT_SUPPORTED)
    fields.string("model")
    reply = read_reply_options(fields)
    params = _read_params(fields, defaults, readers)
    if reply.stream and reply.return_progress:
        params = params.replace(progress=True)
    choices = read_choices(fields, stream=reply.stream)
    return {
        "params": params,
        "choices": choices,
        "reply": reply,
        "unknown": unknown_fields(fields),
    }


def _read_params(
    fields: Fields, defaults: GenerationParams, readers: tuple[ReadChanges, ...]
) -> GenerationParams:
    changes: dict[str, Any] = {}
    for read in readers:
        changes |= read(fields)
    try:
        return defaults.replace(**{k: v for k, v in changes.items() if v is not None})
    except InvalidRequest as error:
        name = error.param or ""
        field = {**SPECULATION_FIELDS, **OTHER_NAMES, "n_predict": length_field(fields)}.get(name)
        if field is None:
            raise
        raise error.about(field) from None
