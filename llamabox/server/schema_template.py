"""What a chat asks of its template."""

from __future__ import annotations

from typing import Any

from ..api import RESERVED_VARIABLES
from .schema_fields import Fields

__all__ = ["read_template"]

CONTINUED = ("content", "reasoning_content")
"""Fields that ``continue_final_message`` may name; True takes the one that is there."""


def read_template(fields: Fields) -> dict[str, Any]:
    """Fields of `ChatRequest`: ``template_kwargs``, ``add_generation_prompt``,
    ``continue_final_message``.

    :raises InvalidRequest: a field is mistyped, or excludes another, or is none of a request's.
    """
    if fields.present("chat_template"):
        reason = "is not taken from requests; the server is started with --chat-template"
        raise fields.refuse("chat_template", reason)
    adds_prompt, continues = _read_ending(fields)
    return {
        "template_kwargs": _read_kwargs(fields),
        "add_generation_prompt": adds_prompt,
        "continue_final_message": continues,
    }


def _read_kwargs(fields: Fields) -> dict[str, Any]:
    kwargs = fields.object("chat_template_kwargs")
    if kwargs is None:
        return {}
    for name in kwargs.values:
        if name in RESERVED_VARIABLES:
            raise kwargs.refuse(name, "is no variable that a request may set")
    return dict(kwargs.values)


def _read_ending(fields: Fields) -> tuple[bool | None, bool | str | None]:
    adds_prompt = None
    if fields.present("add_generation_prompt"):
        adds_prompt = fields.boolean("add_generation_prompt")
    continues = fields.raw("continue_final_message")
    if continues is not None and not isinstance(continues, bool) and continues not in CONTINUED:
        reason = 'must be a boolean, "content" or "reasoning_content"'
        raise fields.refuse("continue_final_message", reason)
    if continues and adds_prompt:
        raise fields.refuse("continue_final_message", "excludes add_generation_prompt")
    return adds_prompt, continues
