"""Parameters that callers give, and `replace` them in part, with errors of this package."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

P = TypeVar("P", bound="DataclassInstance")


def given(params: P | None, kind: type[P]) -> P:
    """The parameters, or the default ones.

    :raises InvalidRequest: they are of another kind.
    """
    if params is None:
        return kind()
    if not isinstance(params, kind):
        raise InvalidRequest(f"params: {params!r} is no {kind.__name__}", param="params")
    return params


def changed(params: DataclassInstance, changes: dict[str, Any]) -> dict[str, Any]:
    """Those of the changes that give a field another value.

    :raises InvalidRequest: there is no such field.
    """
    unknown = changes.keys() - params.__dataclass_fields__.keys()
    if unknown:
        raise InvalidRequest(f"{min(unknown)}: {type(params).__name__} has no such field")
    return {name: value for name, value in changes.items() if getattr(params, name) is not value}


def replaced(params: P, changes: dict[str, Any]) -> P:
    """The parameters with some fields changed; the same ones if they have these very values.

    :raises InvalidRequest: a field is unknown or out of range.
    """
    changes = changed(params, changes)
    return dataclasses.replace(params, **changes) if changes else params
