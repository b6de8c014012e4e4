"""The prompt of a text completion, in the forms that the dialects have for it."""

from __future__ import annotations

from .schema_fields import Fields, json_type

__all__ = ["read_prompt"]


def read_prompt(fields: Fields) -> str | list[int]:
    """``prompt``: a text, or token ids.

    :raises InvalidRequest: it is missing, or something else.
    """
    prompt = fields.raw("prompt")
    if prompt is None:
        raise fields.refuse("prompt", "is required")
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        wanted = "must be a string or an array of token ids"
        raise fields.refuse("prompt", f"{wanted}, not {json_type(prompt)}")
    # bool is an int to isinstance, and a long prompt has to be checked fast.
    if not set(map(type, prompt)) <= {int}:
        wrong = next(item for item in prompt if type(item) is not int)
        wanted = "an array must hold token ids only"
        raise fields.refuse("prompt", f"{wanted}, not {json_type(wrong)}")
    return prompt
