"""`replace` of the parameters, with errors of this package."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from ..errors import InvalidRequest

P = TypeVar("P")
_UNKNOWN = object()


def replaced(params: P, changes: dict[str, Any]) -> P:
    """The parameters with some fields changed; the same ones if they have these very values.

    :raises InvalidRequest: a field is unknown or out of range.
    """
    if all(getattr(params, name, _UNKNOWN) is value for name, value in changes.items()):
        return params
    try:
        return dataclasses.replace(params, **changes)  # type: ignore[type-var]
    except TypeError as error:
        raise InvalidRequest(str(error)) from None
