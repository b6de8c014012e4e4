"""Two sides measured in turn, and what may be said of them: medians and the ratio of pairs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence

Measure = Callable[[], float]
"""Runs one side once and returns its figure."""

MeasureAll = Callable[[], Sequence[float]]
"""Runs one side once and returns its figures, one for each quantity."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something that a run of either side gives a figure of.

    :param case: what is measured, as a table's row.
    :param unit: of the figures.
    :param lower_is_better: the figures are costs, not rates.
    :param in_summary: worth a row in the README.
    :param target: the ratio that is aimed at, at least; None for no aim.
    """

    case: str
    unit: str
    lower_is_better: bool = False
    in_summary: bool = True
    target: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Quantity):
    """Figures of llamabox and of a peer, the i-th of each taken one after the other.

    :param peer_name: what llamabox is compared with.
    :param ours: one figure for each run.
    :param peers: likewise.
    """

    peer_name: str
    ours: tuple[float, ...]
    peers: tuple[float, ...]

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

    @property
    def holds(self) -> bool | None:
        """Whether the ratio reaches the target; None if there is none."""
        return None if self.target is None else self.ratio >= self.target


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
    target: float | None = None,
) -> Comparison:
    """`compare_all` of a single quantity."""
    quantity = Quantity(
        case=case,
        unit=unit,
        lower_is_better=lower_is_better,
        in_summary=in_summary,
        target=target,
    )
    (comparison,) = compare_all(
        [quantity],
        ours=lambda: (ours(),),
        peer=lambda: (peer(),),
        peer_name=peer_name,
        runs=runs,
    )
    return comparison


def compare_all(
    quantities: Sequence[Quantity],
    *,
    ours: MeasureAll,
    peer: MeasureAll,
    peer_name: str,
    runs: int,
) -> tuple[Comparison, ...]:
    """Measure both sides `runs` times, one after the other; who begins changes each time.

    Each side runs once before that, unmeasured.

    :returns: a comparison for each quantity.
    """
    ours()
    peer()
    our_runs: list[Sequence[float]] = []
    peer_runs: list[Sequence[float]] = []
    for i in range(runs):
        sides = [(ours, our_runs), (peer, peer_runs)]
        for measure, figures in sides if i % 2 == 0 else reversed(sides):
            figures.append(measure())
    columns = zip(zip(*our_runs, strict=True), zip(*peer_runs, strict=True), strict=True)
    return tuple(
        Comparison(
            case=quantity.case,
            unit=quantity.unit,
            lower_is_better=quantity.lower_is_better,
            in_summary=quantity.in_summary,
            target=quantity.target,
            peer_name=peer_name,
            ours=our_column,
            peers=peer_column,
        )
        for quantity, (our_column, peer_column) in zip(quantities, columns, strict=True)
    )
