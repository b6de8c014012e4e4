"""Results as Markdown: the page of a full run, and the summary in the README."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from .pairs import Comparison

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured that has no peer."""

    case: str
    value: float
    unit: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a scenario found.

    :param title: a heading.
    :param about: what runs, with which flags, and what is timed.
    :param notes: remarks that only this run can make, such as what was skipped.
    """

    title: str
    about: str
    comparisons: tuple[Comparison, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


def render_page(machine: Sequence[tuple[str, str]], results: Iterable[Result]) -> str:
    """The Markdown page of a run.

    :param machine: facts of the machine and the run, as (name, value).
    """
    parts = [
        "# Benchmark results",
        "Written by `make bench`. A and B are measured in turn; a ratio is the median of the "
        "pairs' ratios, above 1 where llamabox is better.",
        render_table(("", ""), machine),
        *(render_result(result) for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def render_result(result: Result) -> str:
    """One scenario as Markdown."""
    parts = [f"## {result.title}", result.about]
    if result.comparisons:
        header = ("case", "llamabox", "peer", "ratio", "lowest - highest", "runs")
        parts.append(render_table(header, [_comparison_row(c) for c in result.comparisons]))
    if result.figures:
        rows = [(f.case, f"{_number(f.value)} {f.unit}") for f in result.figures]
        parts.append(render_table(("measured", "median"), rows))
    parts += [f"- {note}" for note in result.notes]
    return "\n\n".join(parts)


def render_summary(machine: Sequence[tuple[str, str]], results: Iterable[Result]) -> str:
    """The README's table: the main comparisons, and where they were taken."""
    rows = [
        (result.title, c.case, *_sides(c), f"**{c.ratio:.2f}x**")
        for result in results
        for c in result.comparisons
        if c.in_summary
    ]
    facts = dict(machine)
    where = f"{facts['CPU']}, llama-cpp-python {facts['llama-cpp-python']}, {facts['date']}."
    header = ("", "case", "llamabox", "peer", "ratio")
    return f"{render_table(header, rows)}\n\n{where} [All figures](bench/RESULTS.md)."


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


def _comparison_row(c: Comparison) -> Sequence[str]:
    spread = f"{min(c.ratios):.2f} - {max(c.ratios):.2f}"
    return (c.case, *_sides(c), f"{c.ratio:.2f}", spread, str(len(c.ours)))


def _sides(c: Comparison) -> tuple[str, str]:
    ours = f"{_number(c.our_median)} {c.unit}"
    return ours, f"{_number(c.peer_median)} {c.unit} ({c.peer_name})"


def _number(value: float) -> str:
    """Three figures or all before the point, with thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
