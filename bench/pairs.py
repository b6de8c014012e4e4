"""Two sides measured in turn, and what may be said of them: medians and the ratio of pairs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

Measure = Callable[[], float]
"""Runs one side once and returns its figure."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Figures of llamabox and of a peer, the i-th of each taken one after the other.

    :param case: what was measured, as a table's row.
    :param unit: of the figures.
    :param peer_name: what llamabox is compared with.
    :param ours: one figure for each run.
    :param peers: likewise.
    :param lower_is_better: the figures are costs, not rates.
    :param in_summary: worth a row in the README.
    """

    case: str
    unit: str
    peer_name: str
    ours: tuple[float, ...]
    peers: tuple[float, ...]
    lower_is_better: bool = False
    in_summary: bool = True

    @property
    def our_median(self) -> float:
        return statistics.median(self.ours)

    @property
    def peer_median(self) -> float:
        return statistics.median(self.peers)

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times better llamabox is, pair by pair."""
        pairs = zip(self.ours, self.peers, strict=True)
        if self.lower_is_better:
            return tuple(peer / our for our, peer in pairs)
        return tuple(our / peer for our, peer in pairs)

    @property
    def ratio(self) -> float:
        """The median of `ratios`: a slow moment of the machine falls on both sides of a pair."""
        return statistics.median(self.ratios)


def compare(
    case: str,
    *,
    ours: Measure,
    peer: Measure,
    peer_name: str,
    unit: str,
    runs: int,
    lower_is_better: bool = False,
    in_summary: bool = True,
) -> Comparison:
    """Measure both sides `runs` times, one after the other; who begins changes each time.

    Each side runs once before that, unmeasured.
    """
    ours()
    peer()
    our_figures: list[float] = []
    peer_figures: list[float] = []
    for i in range(runs):
        sides = [(ours, our_figures), (peer, peer_figures)]
        for measure, figures in sides if i % 2 == 0 else reversed(sides):
            figures.append(measure())
    return Comparison(
        case=case,
        unit=unit,
        peer_name=peer_name,
        ours=tuple(our_figures),
        peers=tuple(peer_figures),
        lower_is_better=lower_is_better,
        in_summary=in_summary,
    )
