"""The prompts of a text completion, in the forms that the dialects have for them."""

from __future__ import annotations

from typing import Any

from ..api import Infill, PromptLike
from ..errors import InvalidRequest
from .schema_fields import Fields, json_type

__all__ = ["MAX_PROMPTS", "read_infill_prompt", "read_prompts"]

MAX_PROMPTS = 1024
"""Prompts of one request at most."""
UNNAMED = "tmp"
"""What llama-server calls a file without a name."""
TEXT_KEYS = ("prompt_string", "text")
"""Where an object has its text: llama-server's name and llama-box's."""


def read_prompts(fields: Fields) -> list[PromptLike]:
    """``prompt``, one or an array of them, and the ``suffix`` that each is to be joined with.

    A prompt is a text, an array of token ids or of ids and texts, or an object with a text. An
    array that holds a number is one prompt.

    :raises InvalidRequest: it is missing, empty, or something else.
    """
    prompts = _read_all(fields)
    suffix = fields.string("suffix")
    if not suffix:
        return prompts
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    if len(texts) < len(prompts):
        raise fields.refuse("suffix", "needs a prompt that is a text")
    return [Infill(prefix=text, suffix=suffix) for text in texts]


def read_infill_prompt(fields: Fields) -> Infill:
    """``input_prefix``, ``input_suffix``, ``input_extra`` and ``prompt`` of ``/infill``.

    :raises InvalidRequest: one is missing or mistyped.
    """
    texts = {name: fields.string(name) for name in ("input_prefix", "input_suffix")}
    for name, text in texts.items():
        if text is None:
            raise fields.refuse(name, "is required")
    files = []
    for file in fields.objects("input_extra") or ():
        text = file.string("text")
        if text is None:
            raise file.refuse("text", "is required")
        files.append((file.string("filename") or UNNAMED, text))
    return Infill(
        prefix=texts["input_prefix"] or "",
        suffix=texts["input_suffix"] or "",
        prompt=fields.string("prompt") or "",
        files=tuple(files),
    )


def _read_all(fields: Fields) -> list[PromptLike]:
    value = fields.raw("prompt")
    if value is None:
        raise fields.refuse("prompt", "is required")
    if not isinstance(value, list) or _is_one_prompt(value):
        return [_read_prompt(fields, "prompt", value)]
    if not value:
        raise fields.refuse("prompt", "must not be empty")
    if len(value) > MAX_PROMPTS:
        raise fields.refuse("prompt", f"{len(value)} prompts are more than {MAX_PROMPTS}")
    if len(value) == 1:
        return [_read_prompt(fields, "prompt", value[0])]
    return [_read_prompt(fields, f"prompt[{i}]", item) for i, item in enumerate(value)]


def _is_one_prompt(items: list[Any]) -> bool:
    # bool is an int to isinstance, and a long prompt has to be checked fast.
    return not {int, float, bool}.isdisjoint(map(type, items))


def _read_prompt(fields: Fields, path: str, value: Any) -> PromptLike:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _read_object(fields, path, value)
    if not isinstance(value, list):
        wanted = "must be a string, an array of token ids and strings, or an array of such prompts"
        raise _refusal(fields, path, f"{wanted}, not {json_type(value)}")
    if not value:
        raise _refusal(fields, path, "must not be empty")
    wrong = set(map(type, value)) - {int, str}
    if wrong:
        item = next(item for item in value if type(item) in wrong)
        raise _refusal(fields, path, f"must hold token ids and strings, not {json_type(item)}")
    return value


def _read_object(fields: Fields, path: str, value: dict[str, Any]) -> str:
    if value.get("multimodal_data"):
        raise _refusal(fields, path, "this model takes no media")
    text = next((value[key] for key in TEXT_KEYS if value.get(key) is not None), None)
    if not isinstance(text, str):
        raise _refusal(fields, path, f"an object must hold a string {' or '.join(TEXT_KEYS)}")
    return text


def _refusal(fields: Fields, path: str, reason: str) -> InvalidRequest:
    """Names the item in the text; the field at fault is the prompt."""
    error = fields.refuse(path, reason)
    error.param = "prompt"
    return error
