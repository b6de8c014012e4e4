"""Checks of what constrains an output."""

from __future__ import annotations

from ..checks import check_encodable
from ..errors import InvalidRequest

CONSTRAINTS = ("grammar", "json_schema", "regex")
"""Fields of `GenerationParams` of which one at most is not empty."""
MAX_SOURCE = 1 << 20
"""Characters of a constraint's source."""
MAX_AFTER = 1024


def check_constraints(params: object) -> None:
    """:raises InvalidRequest: a field is mistyped or too long, or two of them are there."""
    longest = {**dict.fromkeys(CONSTRAINTS, MAX_SOURCE), "constrained_after": MAX_AFTER}
    for name, n_most in longest.items():
        value = getattr(params, name)
        if name == "grammar" and value is None:
            continue
        if not isinstance(value, str):
            raise InvalidRequest(f"{name}: {value!r} is not a string", param=name)
        if len(value) > n_most:
            raise InvalidRequest(f"{name}: longer than {n_most} characters", param=name)
        check_encodable(value, name)
    given = [name for name in CONSTRAINTS if getattr(params, name)]
    if len(given) > 1:
        raise InvalidRequest(f"{given[1]}: goes with no {given[0]}", param=given[1])
