"""What a chat does about the model's reasoning."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..checks import check_choice, check_encodable, check_int
from ..errors import InvalidRequest
from .replacing import replaced

REASONING_FORMATS = ("auto", "deepseek", "deepseek-legacy", "none")
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningParams:
    """Whether a model reasons before its answer, for how long, and where that is told.

    :param enabled: None leaves it to the chat template, which is told that it may.
    :param effort: what the chat template is given as ``reasoning_effort``; "none" is the same as
        not `enabled`. It sets no budget; None gives nothing.
    :param budget: tokens that the reasoning may take, without its opening tag; then the closing tag
        is forced. 0 is the same as not `enabled`, -1 has no limit.
    :param budget_message: text that is forced in front of the closing tag.
    :param format: "auto" and "deepseek" tell the reasoning apart from the content; "none" leaves
        it there between its tags; "deepseek-legacy" does both.
    """

    enabled: bool | None = None
    effort: str | None = None
    budget: int = -1
    budget_message: str = ""
    format: str = "auto"

    def __post_init__(self) -> None:
        if self.enabled is not None and not isinstance(self.enabled, bool):
            raise InvalidRequest(f"enabled: {self.enabled!r} is not a boolean", param="enabled")
        if self.effort is not None:
            check_choice(self, "effort", REASONING_EFFORTS)
        check_int(self, "budget", -1)
        if not isinstance(self.budget_message, str):
            raise InvalidRequest("budget_message: is not a string", param="budget_message")
        check_encodable(self.budget_message, "budget_message")
        check_choice(self, "format", REASONING_FORMATS)

    @property
    def is_off(self) -> bool:
        return self.enabled is False or self.effort == "none" or self.budget == 0

    def replace(self, **changes: Any) -> ReasoningParams:
        """These parameters with some fields changed.

        :raises InvalidRequest: a field is unknown or out of range.
        """
        return replaced(self, changes)
