"""argparse with errors of one line, and with the nearest flag where there is none of that name."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["FlagGroup", "FlagParser"]

_FLAG = re.compile(r"-{1,2}[A-Za-z]")


class FlagParser(argparse.ArgumentParser):
    """A parser whose long names take ``_`` for ``-``."""

    def __init__(self, prog: str) -> None:
        super().__init__(
            prog=prog,
            usage=f"{prog} [options]",
            add_help=False,
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )
        self.flags: dict[str, argparse.Action] = {}

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")

    def flag_of(self, dest: str) -> str:
        """The first long name of the flag that sets ``dest``, as the help text has it."""
        names = [name for name, action in self.flags.items() if action.dest == dest]
        return next((name for name in names if name.startswith("--")), names[0])

    def parse_words(self, argv: Sequence[str]) -> dict[str, Any]:
        """The values of the flags in ``argv``; a flag that was not given may be absent.

        :raises SystemExit: with status 2 and one line on standard error, or 0 after the help.
        """
        words = [_with_dashes(word) for word in argv]
        self._refuse_unknown(words)
        return vars(self.parse_args(words))

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        # argparse would read an unknown -tsx as "-t sx" and complain about sx.
        for word in words:
            name = word.partition("=")[0]
            if _FLAG.match(name) and name not in self.flags:
                self.error(f"there is no flag {name}; the nearest is {self._nearest(name)}")

    def _nearest(self, name: str) -> str:
        """The flag that ``name`` begins with, or else the one that looks most like it."""
        stems = [flag for flag in self.flags if name.startswith(flag)]
        if stems:
            return max(stems, key=len)
        return difflib.get_close_matches(name, self.flags, n=1, cutoff=0.0)[0]


class FlagGroup:
    """One headed group of the help text."""

    def __init__(self, parser: FlagParser, title: str) -> None:
        self._parser = parser
        self._group = parser.add_argument_group(title)

    def add(self, *names: str, **options: Any) -> None:
        """A flag with argparse's ``options``."""
        action = self._group.add_argument(*names, **options)
        self._parser.flags |= dict.fromkeys(names, action)

    def value(self, *names: str, **options: Any) -> None:
        """A flag that sets nothing when it is not given."""
        self.add(*names, default=argparse.SUPPRESS, **options)


class _HelpFormatter(argparse.RawTextHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=40, width=120)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        short = [name for name in action.option_strings if not name.startswith("--")]
        long = [name for name in action.option_strings if name.startswith("--")]
        names = f"{', '.join(short) + ',' if short else '':7}{', '.join(long)}"
        return names if action.nargs == 0 else f"{names} {action.metavar}"


def _with_dashes(word: str) -> str:
    """``--ctx_size=1`` is ``--ctx-size=1``."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else word
