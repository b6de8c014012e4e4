"""The flags of chat templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..templates import NAMED_TEMPLATES
from .cli_parser import FlagGroup

__all__ = ["add_templates", "template_of"]


def add_templates(group: FlagGroup) -> None:
    group.value(
        "--chat-template",
        dest="template_name",
        choices=sorted(NAMED_TEMPLATES),
        metavar="NAME",
        help=f"Built-in chat template: {', '.join(sorted(NAMED_TEMPLATES))}\n"
        "(default: the model's own)",
    )
    group.value(
        "--chat-template-file",
        dest="template_file",
        type=Path,
        metavar="FILE",
        help="Jinja chat template; wins over --chat-template (default: the model's own)",
    )
    group.idle("--jinja", text="Accepted for compatibility: Jinja is always on")


def template_of(given: Mapping[str, Any]) -> str | None:
    """The template's source that the flags in ``given`` name; None for the model's own.

    :raises InvalidRequest: the file cannot be read.
    """
    path: Path | None = given.get("template_file")
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(str(error), param="template_file") from None
    source: str | None = given.get("template_source")
    return NAMED_TEMPLATES.get(given.get("template_name", ""), source)
