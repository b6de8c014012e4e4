"""Logging and the loading bar of the command line; a program that embeds the app has its own."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["EVERYTHING", "LogConfig", "configure_logging", "progress_bar"]

EVERYTHING = 5
"""The verbosity that leaves nothing out."""
LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""By verbosity."""
TINTS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31", logging.DEBUG: "2"}
"""Of levels that are not in the terminal's own color (SGR)."""
BAR_WIDTH = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is logged, and how.

    :param verbosity: 0 fatal errors, 1 errors, 2 warnings, 3 what happens, more: everything.
    :param colors: on standard error: "on", "off", or "auto" for on if it is a terminal.
    :param file: gets the log too.
    :param prefix: lines have their level.
    :param timestamps: lines have their time.
    """

    verbosity: int = 3
    colors: str = "off"
    file: Path | None = None
    prefix: bool = True
    timestamps: bool = True

    @property
    def level(self) -> int:
        """The level of the logging module."""
        return LEVELS[min(max(self.verbosity, 0), len(LEVELS) - 1)]

    @property
    def line(self) -> str:
        """The format of a line."""
        parts = ["%(asctime)s"] * self.timestamps + ["%(levelname)-7s"] * self.prefix
        return " ".join([*parts, "%(message)s"])


def configure_logging(config: LogConfig) -> None:
    """Send our log, and what Sanic has to complain about, to standard error, a line per event.

    :raises OSError: the log file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if config.file is not None:
        handlers.append(logging.FileHandler(config.file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter(config.line))
    if config.colors == "on" or (config.colors == "auto" and sys.stderr.isatty()):
        handlers[0].setFormatter(_ColoredFormatter(config.line))
    levels = {"llamabox": config.level, "sanic": max(config.level, logging.ERROR)}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers = list(handlers)
        logger.setLevel(level)
        logger.propagate = False


class _ColoredFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        tint = TINTS.get(record.levelno)
        line = super().format(record)
        return f"\x1b[{tint}m{line}\x1b[0m" if tint else line


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
