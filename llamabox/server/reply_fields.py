"""A choice of a reply's fields: llama-server's ``response_fields``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["selected"]

_MISSING = object()


def selected(body: Any, paths: Iterable[str]) -> Any:
    """The fields at `paths`, each under its whole path; what is not there is left out.

    :param body: an object, or an array of them.
    :param paths: names joined with slashes; without any, all fields stay.
    """
    wanted = tuple(paths)
    if not wanted:
        return body
    if isinstance(body, list):
        return [selected(item, wanted) for item in body]
    found = {path: _at(body, path) for path in wanted}
    return {path: value for path, value in found.items() if value is not _MISSING}


def _at(body: Any, path: str) -> Any:
    for name in path.split("/"):
        if not isinstance(body, dict) or name not in body:
            return _MISSING
        body = body[name]
    return body
