"""The flags of what the output of a request that says nothing of it has to keep to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..errors import InvalidRequest
from .cli_parser import FlagGroup

__all__ = ["add_constraints", "constraints_of"]

FILES = (("grammar_file", "grammar"), ("json_schema_file", "json_schema"))


def add_constraints(group: FlagGroup) -> None:
    group.value(
        "--grammar",
        dest="grammar",
        metavar="GRAMMAR",
        help="GBNF that outputs keep to, of requests that say nothing of it (default: none)",
    )
    group.value(
        "--grammar-file",
        dest="grammar_file",
        type=Path,
        metavar="FILE",
        help="The same from a file",
    )
    group.value(
        "-j",
        "--json-schema",
        dest="json_schema",
        metavar="SCHEMA",
        help="JSON schema that outputs keep to; {} for any JSON (default: none)",
    )
    group.value(
        "-jf",
        "--json-schema-file",
        dest="json_schema_file",
        type=Path,
        metavar="FILE",
        help="The same from a file",
    )


def constraints_of(given: Mapping[str, Any]) -> dict[str, str]:
    """What the flags in ``given`` that name files stand for, as fields of ``GenerationParams``.

    :raises InvalidRequest: a file cannot be read, there are two constraints, or a schema is no
        JSON.
    """
    _check_json(given.get("json_schema", ""), "json_schema")
    read: dict[str, str] = {}
    for file, field in FILES:
        path: Path | None = given.get(file)
        if path is None:
            continue
        if given.get(field):
            raise InvalidRequest(f"{file}: goes with no {field}", param=file)
        try:
            read[field] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(str(error), param=file) from None
        if field == "json_schema":
            _check_json(read[field], file)
    return read


def _check_json(schema: str, name: str) -> None:
    try:
        orjson.loads(schema or "{}")
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"is not JSON: {error}", param=name) from None
