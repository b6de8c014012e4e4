"""How many outputs a prompt gets."""

from __future__ import annotations

import dataclasses

from ..checks import check_int

MAX_CHOICES = 128


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceParams:
    """How many outputs a prompt gets.

    :param n: outputs that are returned, 1 to `MAX_CHOICES`.
    :param best_of: outputs that are generated, `n` or more; those with the highest mean log
        probability per token are returned. None generates `n`.
    """

    n: int = 1
    best_of: int | None = None

    def __post_init__(self) -> None:
        check_int(self, "n", 1, MAX_CHOICES)
        if self.best_of is not None:
            check_int(self, "best_of", self.n, MAX_CHOICES)

    @property
    def n_generated(self) -> int:
        return self.best_of or self.n

    @property
    def are_ranked(self) -> bool:
        """Whether more are generated than returned."""
        return self.n_generated > self.n
