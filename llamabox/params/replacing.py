"""`replace` of the parameters, with errors of this package."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from ..errors import InvalidRequest

P = TypeVar("P")


def replaced(params: P, changes: dict[str, Any]) -> P:
    """:raises InvalidRequest: a field is unknown or out of range."""
    try:
        return dataclasses.replace(params, **changes)  # type: ignore[type-var]
    except TypeError as error:
        raise InvalidRequest(str(error)) from None
