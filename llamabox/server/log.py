"""Logging and the loading bar of the command line; a program that embeds the app has its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

__all__ = ["configure_logging", "progress_bar"]

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
BAR_WIDTH = 30


def configure_logging(verbose: bool) -> None:
    """Send our log, and what Sanic has to complain about, to standard error, a line per event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    levels = {"llamabox": logging.DEBUG if verbose else logging.INFO, "sanic": logging.ERROR}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def progress_bar() -> Callable[[float], None]:
    """A function that draws 0 to 1 as one line on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda fraction: None
    drawn = -1

    def draw(fraction: float) -> None:
        nonlocal drawn
        percent = min(100, int(fraction * 100))
        if percent == drawn:
            return
        drawn = percent
        filled = percent * BAR_WIDTH // 100
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        # The cursor waits at the line's start, so that a log line replaces the bar.
        end = "\n" if percent == 100 else "\r"
        print(f"loading [{bar}] {percent:3d} %", end=end, file=sys.stderr, flush=True)

    return draw
