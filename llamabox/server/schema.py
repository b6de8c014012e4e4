"""Request bodies to dataclasses: the one place that knows the field names of the dialects.

Each group of fields has a module of its own, ``schema_*``; what they read, and only that, is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidRequest
from ..params import ChoiceParams, GenerationParams, ReasoningParams
from .schema_chat import read_messages
from .schema_choices import read_chat_probs, read_choices, read_text_probs
from .schema_constraints import read_constraints
from .schema_fields import Fields
from .schema_output import length_field, read_output
from .schema_prompt import read_prompt
from .schema_reasoning import read_reasoning
from .schema_sampling import read_sampling
from .schema_speculation import SPECULATION_FIELDS, read_speculation
from .schema_template import read_template
from .schema_tools import read_tools
from .schema_unsupported import refuse_unsupported

__all__ = ["ChatRequest", "GenerationRequest", "TextRequest", "read_chat", "read_text"]

ReadChanges = Callable[[Fields], dict[str, Any]]
"""Reads changes to the default ``GenerationParams``; None for a field that is not there."""

GENERATION: tuple[ReadChanges, ...] = (
    read_sampling,
    read_speculation,
    read_output,
    read_constraints,
)
"""What all dialects read."""
CHAT: tuple[ReadChanges, ...] = (*GENERATION, read_chat_probs)
TEXT: tuple[ReadChanges, ...] = (*GENERATION, read_text_probs)

NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "echo": (False,),
    "lora": ([],),
    "modalities": (["text"],),
    "n_indent": (0,),
    "response_fields": ([],),
    "return_progress": (False,),
    "return_tokens": (False,),
    "suffix": ("",),
    "t_max_predict_ms": (-1, 0),
    "timings_per_token": (False,),
    "web_search_options": (),
}
"""Fields of no module that would change the reply, with the values under which they would not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What every dialect asks of a generation.

    :param choices: how many outputs.
    :param stream: answer with events.
    :param include_usage: end the events with the usage.
    """

    params: GenerationParams
    choices: ChoiceParams
    stream: bool
    include_usage: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GenerationRequest):
    """``/v1/chat/completions``.

    :param tools: None if there are none, or the caller wants none used.
    :param template_kwargs: variables for the chat template.
    :param add_generation_prompt: end the prompt where the assistant's turn begins.
    :param reasoning: what becomes of the model's reasoning.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    template_kwargs: dict[str, Any]
    add_generation_prompt: bool
    reasoning: ReasoningParams


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest(GenerationRequest):
    """``/v1/completions`` and ``/completion``.

    :param prompt: text, or token ids.
    """

    prompt: str | list[int]


def read_chat(
    body: Mapping[str, Any],
    defaults: GenerationParams,
    reasoning: ReasoningParams,
) -> ChatRequest:
    """A chat request.

    :param reasoning: what one gets that says nothing of it.
    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    template = read_template(fields)
    tools = read_tools(fields)
    return ChatRequest(
        **_read_generation(fields, defaults, CHAT),
        **template,
        messages=read_messages(fields),
        tools=tools,
        reasoning=read_reasoning(fields, reasoning),
    )


def read_text(body: Mapping[str, Any], defaults: GenerationParams) -> TextRequest:
    """A text completion.

    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    generation = _read_generation(fields, defaults, TEXT)
    return TextRequest(**generation, prompt=read_prompt(fields))


def _read_generation(
    fields: Fields, defaults: GenerationParams, readers: tuple[ReadChanges, ...]
) -> dict[str, Any]:
    refuse_unsupported(fields, NOT_SUPPORTED)
    fields.string("model")
    options = fields.object("stream_options")
    stream = fields.boolean("stream")
    return {
        "params": _read_params(fields, defaults, readers),
        "choices": read_choices(fields, stream=stream),
        "stream": stream,
        "include_usage": options is not None and options.boolean("include_usage"),
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
        field = {**SPECULATION_FIELDS, "n_predict": length_field(fields)}.get(name)
        if field is None:
            raise
        raise InvalidRequest(str(error).replace(name, field, 1), param=field) from None
