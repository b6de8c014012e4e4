"""Strings that are written without quotes, as regular expressions of what their schema allows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from ..lark import escaped

_SIMPLE = re.compile(
    r"""(?: [^\\^$.\[\](){}?*+|] | \. | \| | \((?:\?:|(?!\?)) | \)
        | \\[dDwWsSnrtfv\\^$.\[\](){}?*+|/\-"'@:#&~_]
        | \[\^?(?:[^\\\[\]&~\-]|-(?!-)|\\[dDwWsSnrtfv\\^$.\[\](){}?*+|/\-&~])+\]
        | [*+?]\?? | \{\d{1,3}(?:,\d{0,3})?\} )*""",
    re.VERBOSE,
)
"""Patterns that mean the same to llguidance as to JSON schemas."""
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|[()|]", re.DOTALL)
_END = re.compile(r"(?<!\\)(?:\\\\)*(?P<anchor>\$)\Z")
_ANYTHING = "(?s:.*)"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_MAX_LEAST, _MAX_MOST = 10_000, 1_000_000
_MAX_PATTERN = 1000


def text_regexes(schema: Mapping[str, Any], *, is_strict: bool) -> tuple[str, ...]:
    """What a string matches in full, all of it, that keeps to a schema; none for any text.

    :param schema: of which what it refers to, and the members of its ``allOf``, are left out.
    :param is_strict: of a pattern that may mean something else, or nothing, to llguidance: have it
        refused there, instead of leaving it out.
    """
    values = _values(schema)
    choices = dict.fromkeys(value for value in values or () if isinstance(value, str))
    if choices:
        return (f"({'|'.join(map(escaped, choices))})",)
    found: list[str] = []
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and (is_strict or _is_simple(pattern)):
        found.append(_in_full(pattern))
    length = _length(schema)
    if length:
        found.append(length)
    if isinstance(schema.get("format"), str) and schema["format"] in _FORMATS:
        found.append(_FORMATS[schema["format"]])
    return tuple(found)


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values that a schema lists, itself or in its alternatives; None if it does not."""
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    members = schema.get("anyOf", schema.get("oneOf"))
    found: list[Any] = []
    for member in members if isinstance(members, list) else [None]:
        if isinstance(member, Mapping) and "const" in member:
            found.append(member["const"])
        elif isinstance(member, Mapping) and isinstance(member.get("enum"), list):
            found += member["enum"]
        else:
            return None
    return found


def _is_simple(pattern: str) -> bool:
    if len(pattern) > _MAX_PATTERN:
        return False
    if not all(_SIMPLE.fullmatch(_parted(part)[1]) for part in _alternatives(pattern)):
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _alternatives(pattern: str) -> list[str]:
    """What stands between the bars of a pattern that are in no group; anchors belong to one."""
    cuts, depth = [-1], 0
    for token in _TOKEN.finditer(pattern):
        depth += (token[0] == "(") - (token[0] == ")")
        if token[0] == "|" and depth == 0:
            cuts.append(token.start())
    return [pattern[i + 1 : j] for i, j in itertools.pairwise([*cuts, len(pattern)])]


def _parted(part: str) -> tuple[str, str, str]:
    """An alternative between its anchors: what may be in front of it, the rest, and behind it."""
    is_begun, end = part.startswith("^"), _END.search(part)
    inner = part[is_begun : end.start("anchor") if end else None]
    return "" if is_begun else _ANYTHING, inner, "" if end else _ANYTHING


def _in_full(pattern: str) -> str:
    """A pattern may match anywhere in a text unless it has anchors."""
    parts = map(_parted, _alternatives(pattern))
    return "|".join(f"{before}({inner}){behind}" for before, inner, behind in parts)


def _length(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    least = min(least, _MAX_LEAST) if type(least) is int and least > 0 else 0
    if type(most) is int and 0 <= most <= _MAX_MOST:
        return f"(?s:.{{{min(least, most)},{most}}})"
    return f"(?s:.{{{least},}})" if least else ""
