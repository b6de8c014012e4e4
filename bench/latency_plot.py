"""A picture of inter-token latencies over time, one panel for each server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

COLOURS = ("#1f77b4", "#d95f02")
WAIT_COLOUR = "#e8e8e8"
SIZE_INCHES = (9.0, 5.2)
DPI = 110


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The gaps of one server's streams.

    :param points: (when a token arrived, the gap before it), in seconds; 0 is the arrival of the
        long prompt.
    :param first_token: when the long prompt's first token arrived, in seconds.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    first_token: float


def draw_traces(traces: Sequence[Trace], path: Path) -> None:
    """Write a PNG: one panel below the other, with the same axes, latency on a log scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(traces), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for panel, trace, colour in zip(panels, traces, COLOURS, strict=False):
        times, gaps = zip(*trace.points, strict=True)
        panel.axvspan(
            0,
            trace.first_token,
            color=WAIT_COLOUR,
            label=f"long prompt waits for its first token: {trace.first_token:.2f} s",
        )
        panel.scatter(times, [1e3 * gap for gap in gaps], s=9, color=colour, linewidths=0)
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.set_title(trace.name, loc="left", fontsize=11, fontweight="bold")
        panel.set_ylabel("gap before a token [ms]")
        panel.grid(True, which="major", axis="y", linewidth=0.5, alpha=0.6)
        panel.legend(loc="upper right", fontsize=8, frameon=True)
    panels[-1].set_xlabel("time since the long prompt's arrival [s]")
    figure.savefig(path, format="png")
