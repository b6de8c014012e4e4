"""Checks of what constrains an output: each raises `InvalidRequest` with the field's name."""

from __future__ import annotations

from ..checks import check_encodable
from ..errors import InvalidRequest

CONSTRAINTS = ("grammar", "json_schema", "regex")
"""Fields of `GenerationParams` of which one at most is not empty."""
MAX_SOURCE = 1 << 20
"""Characters of a constraint's source."""
MAX_LENGTHS = {**dict.fromkeys(CONSTRAINTS, MAX_SOURCE), "constrained_after": 1024}
"""In characters."""


def check_constraint(params: object, name: str) -> None:
    value = getattr(params, name)
    if name == "grammar" and value is None:
        return
    if not isinstance(value, str):
        raise InvalidRequest(f"{name}: {value!r} is not a string", param=name)
    if len(value) > MAX_LENGTHS[name]:
        raise InvalidRequest(f"{name}: longer than {MAX_LENGTHS[name]} characters", param=name)
    check_encodable(value, name)


def check_alone(params: object) -> None:
    """:raises InvalidRequest: two constraints are there."""
    given = [name for name in CONSTRAINTS if getattr(params, name)]
    if len(given) > 1:
        raise InvalidRequest(f"{given[1]}: goes with no {given[0]}", param=given[1])
