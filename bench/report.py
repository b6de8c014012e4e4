"""Results as Markdown: the page of a full run, and the summary in the README."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .pairs import Comparison

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
TARGET_HEADER = ("target", "holds?")
MEDIANS = """\
Columns are medians of the runs, taken in turn; a ratio is the median of the pairs' ratios, above 1
where llamabox is better, and need not be that of the columns."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured that has no peer.

    :param at_least: what is aimed at; None for no aim.
    :param at_most: likewise.
    """

    case: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """What is aimed at, for a table; empty if nothing is."""
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)}"
        return "" if self.at_most is None else f"≤ {_number(self.at_most)}"

    @property
    def holds(self) -> bool | None:
        """Whether the value is what is aimed at; None if nothing is."""
        if self.at_least is None and self.at_most is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture beside the page of results.

    :param name: of the file in `bench/`.
    :param caption: what it shows.
    :param draw: writes it to a path.
    """

    name: str
    caption: str
    draw: Callable[[Path], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a scenario found.

    :param title: a heading.
    :param about: what runs, with which flags, and what is timed.
    :param notes: remarks that only this run can make, such as what was skipped.
    :param seconds: that the scenario took; 0 if nobody looked.
    """

    title: str
    about: str
    comparisons: tuple[Comparison, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    seconds: float = 0.0


def render_page(machine: Sequence[tuple[str, str]], results: Iterable[Result]) -> str:
    """The Markdown page of a run, which stands beside the plots.

    :param machine: facts of the machine and the run, as (name, value).
    """
    parts = [
        "# Benchmark results",
        "Written by `make bench`. A and B are measured in turn; figures are medians over the runs "
        "unless it says otherwise, and a ratio is the median of the pairs' ratios, above 1 where "
        "llamabox is better.",
        "`bench/models.py` writes 50m (4 layers of width 256) and qwen2.5-0.5b (the shape of "
        "Qwen2.5-0.5B), both with 151,936 tokens and random weights in Q8_0. stories260K is a "
        "small model of llama.cpp's own tests; `make peers` builds llama-server.",
        render_table(("", ""), machine),
    ]
    for result in results:
        parts.append(render_result(result))
        parts += [f"![{plot.caption}]({plot.name})" for plot in result.plots]
    return "\n\n".join(parts) + "\n"


def render_result(result: Result) -> str:
    """One scenario as Markdown, without its plots."""
    parts = [f"## {result.title}", result.about]
    if result.seconds:
        parts.append(f"Took {result.seconds:.0f} s.")
    if result.comparisons:
        parts.append(_comparison_table(result.comparisons))
    if result.figures:
        parts.append(_figure_table(result.figures))
    parts += [f"- {note}" for note in result.notes]
    return "\n\n".join(parts)


def render_summary(machine: Sequence[tuple[str, str]], results: Sequence[Result]) -> str:
    """The README's table: the main comparisons, what the columns are, and where they were taken."""
    rows = [
        (result.title, c.case, *_sides(c), f"**{c.ratio:.2f}x**")
        for result in results
        for c in result.comparisons
        if c.in_summary
    ]
    facts = dict(machine)
    where = f"{facts['CPU']}, llama-cpp-python {facts['llama-cpp-python']}, {facts['date']}."
    links = ["[All figures](bench/RESULTS.md)."]
    links += [f"[{p.caption}](bench/{p.name})." for result in results for p in result.plots]
    header = ("", "case", "llamabox", "peer", "ratio")
    return f"{render_table(header, rows)}\n\n{MEDIANS}\n{where} {' '.join(links)}"


def replace_summary(readme: Path, summary: str) -> bool:
    """Put `summary` between the README's markers; False if it has none."""
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    readme.write_text(f"{before}{BEGIN}\n{summary}\n{END}{after}", encoding="utf-8")
    return True


def render_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _comparison_table(comparisons: Sequence[Comparison]) -> str:
    """All comparisons; with targets, if any of them has one."""
    has_targets = any(c.target is not None for c in comparisons)
    header = ["case", "llamabox", "peer", "ratio", "lowest - highest", "runs"]
    rows = []
    for c in comparisons:
        spread = f"{min(c.ratios):.2f} - {max(c.ratios):.2f}"
        row = [c.case, *_sides(c), f"{c.ratio:.2f}", spread, str(len(c.ours))]
        target = "" if c.target is None else f"≥ {c.target:.2f}"
        rows.append([*row, target, _verdict(c.holds)] if has_targets else row)
    return render_table([*header, *TARGET_HEADER] if has_targets else header, rows)


def _figure_table(figures: Sequence[Figure]) -> str:
    """All figures; with targets, if any of them has one."""
    has_targets = any(f.target for f in figures)
    header = ["measured", "value"]
    rows = []
    for f in figures:
        row = [f.case, f"{_number(f.value)} {f.unit}".strip()]
        rows.append([*row, f.target, _verdict(f.holds)] if has_targets else row)
    return render_table([*header, *TARGET_HEADER] if has_targets else header, rows)


def _verdict(holds: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[holds]


def _sides(c: Comparison) -> tuple[str, str]:
    ours = f"{_number(c.our_median)} {c.unit}"
    return ours, f"{_number(c.peer_median)} {c.unit} ({c.peer_name})"


def _number(value: float) -> str:
    """Three figures or all before the point, with thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
