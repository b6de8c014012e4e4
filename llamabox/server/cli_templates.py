"""The flags of chat templates."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, TemplateError
from ..templates import NAMED_TEMPLATES
from .cli_parser import FlagGroup

__all__ = ["add_templates", "template_of"]


def add_templates(group: FlagGroup) -> None:
    group.value(
        "--chat-template",
        dest="template_source",
        type=_named_or_source,
        metavar="NAME",
        help="Built-in chat template, or Jinja (default: the model's own):\n"
        + textwrap.fill(", ".join(NAMED_TEMPLATES), 80, break_on_hyphens=False),
    )
    group.value(
        "--chat-template-file",
        dest="template_file",
        type=Path,
        metavar="FILE",
        help="Jinja chat template; wins over --chat-template (default: the model's own)",
    )
    group.value(
        "--chat-template-kwargs",
        dest="chat_template_kwargs",
        type=_variables,
        metavar="JSON",
        help="Variables for the chat template, which requests may replace (default: none)",
    )
    group.value(
        "--prefill-assistant",
        dest="prefill_assistant",
        action="store_true",
        help="Go on with the last message if it is the assistant's (default)",
    )
    group.value(
        "--no-prefill-assistant",
        dest="prefill_assistant",
        action="store_false",
        help="Answer such a message as any other",
    )
    group.idle("--jinja", "--no-jinja", text="Accepted for compatibility: Jinja is always on")


def template_of(given: Mapping[str, Any]) -> str | None:
    """The template's source that the flags in ``given`` name; None for the model's own.

    :raises InvalidRequest: the file cannot be read, or what it has does not compile.
    :raises IncompatibleLibrary: what compiles it cannot be imported.
    """
    path: Path | None = given.get("template_file")
    source: str | None = given.get("template_source")
    if path is not None:
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(str(error), param="template_file") from None
    if source is not None:
        _check(source, "template_source" if path is None else "template_file")
    return source


def _check(source: str, name: str) -> None:
    from ..api import compile_template

    if not source.strip():
        raise InvalidRequest("the chat template is empty", param=name)
    try:
        compile_template(source)
    except TemplateError as error:
        raise InvalidRequest(str(error), param=name) from None


def _named_or_source(text: str) -> str:
    """The source of a built-in template, or what is Jinja itself."""
    if any(mark in text for mark in ("{{", "{%", "{#", "\n")):
        return text
    if text not in NAMED_TEMPLATES:
        names = ", ".join(NAMED_TEMPLATES)
        raise argparse.ArgumentTypeError(f"{text!r} is neither Jinja nor one of {names}")
    return NAMED_TEMPLATES[text]


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return value


def _variables(text: str) -> dict[str, Any]:
    from ..api import RESERVED_VARIABLES

    variables = _json_object(text)
    for name in variables:
        if name in RESERVED_VARIABLES:
            raise argparse.ArgumentTypeError(f"{name} is no variable that may be set")
    return variables
