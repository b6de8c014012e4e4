"""What a chat asks of the model's reasoning."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRequest
from ..params import ReasoningParams
from .schema_fields import Fields

__all__ = ["read_reasoning"]

FIELDS = {
    "effort": "reasoning_effort",
    "budget_message": "reasoning_budget_message",
    "format": "reasoning_format",
}
"""Names in a body by those of the parameters; the budget has several."""
BUDGETS = ("reasoning_budget", "reasoning_budget_tokens", "thinking_budget_tokens")
"""The first that is there counts."""


def read_reasoning(fields: Fields, defaults: ReasoningParams) -> ReasoningParams:
    """What becomes of the reasoning.

    :raises InvalidRequest: a field is mistyped or out of range.
    """
    _check_switch(fields)
    budgets = fields.integers(BUDGETS)
    if not budgets and not fields.given(FIELDS.values()):
        return defaults
    changes: dict[str, Any] = {name: fields.string(field) for name, field in FIELDS.items()}
    budget_field = next(iter(budgets), BUDGETS[0])
    changes["budget"] = budgets.get(budget_field)
    try:
        return defaults.replace(**{k: v for k, v in changes.items() if v is not None})
    except InvalidRequest as error:
        name = error.param or ""
        field = {**FIELDS, "budget": budget_field}[name]
        raise error.about(field) from None


def _check_switch(fields: Fields) -> None:
    """``enable_thinking`` decides more than the template, so that its type matters."""
    kwargs = fields.object("chat_template_kwargs")
    if kwargs is not None:
        kwargs.boolean("enable_thinking")
