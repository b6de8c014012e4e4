"""argparse with errors of one line, and with the nearest flag where there is none of that name."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from .cli_absent import reason_of

__all__ = ["FlagGroup", "FlagParser"]

_FLAG = re.compile(r"-{1,2}[A-Za-z]")
_PARAMETER = re.compile(r"^[a-z]+(?=: )|\b[a-z]+(?:_[a-z]+)+\b")
WARNINGS = "warnings"


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
        self._arguments: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        self._variable: str | None = None

    def error(self, message: str) -> NoReturn:
        if self._variable is not None:
            reason = message.partition(": ")[2] if message.startswith("argument ") else message
            message = f"environment variable {self._variable}: {reason}"
        self.exit(2, f"{self.prog}: error: {message}\n")

    def refuse(self, name: str, reason: str, place: str | None = None) -> NoReturn:
        """End with what is wrong with a value.

        :param name: of the parameter; what `reason` says of parameters is said of their flags.
        :param place: where the value stands, if neither a flag nor a variable has it.
        """
        said = self.in_flags(reason.removeprefix(f"{name}: "))
        place = place or self._arguments.get(name) or self._variables.get(name)
        place = place or f"argument {self.flag_of(name)}"
        self.exit(2, f"{self.prog}: error: {place}: {said}\n")

    def flag_of(self, dest: str) -> str:
        """The first long name of the flag that sets ``dest``, as the help text has it."""
        names = [name for name, action in self.flags.items() if action.dest == dest]
        long = [name for name in names if name.startswith("--")]
        return next(
            (name for name in long if not name.startswith("--no-")), (*long, *names, dest)[0]
        )

    def in_flags(self, message: str) -> str:
        """A message about parameters, as one about flags."""
        return _PARAMETER.sub(lambda match: self.flag_of(match[0]), message)

    def parse_words(self, argv: Sequence[str]) -> dict[str, Any]:
        """The values of the flags in ``argv``; a flag that was not given is absent.

        :raises SystemExit: with status 2 and one line on standard error, or 0 after the help.
        """
        words = self._joined(argv)
        self._refuse_unknown(words)
        given = self._values(words)
        for word in words:
            action = self.flags.get(word.partition("=")[0])
            if action is not None:
                self._arguments[action.dest] = f"argument {_long(action)}"
        return given

    def _values(self, words: Sequence[str]) -> dict[str, Any]:
        for word in words:
            name, _, value = word.partition("=")
            if value == "--":  # which argparse drops, and fails on what is left
                self.error(f"argument {name}: -- is no value")
        return vars(self.parse_args(words))

    def _joined(self, argv: Sequence[str]) -> list[str]:
        """The words, in which the one value of a flag stands behind a "=": it may have dashes."""
        words, rest = [], iter(argv)
        for word in map(_with_dashes, rest):
            action = self.flags.get(word)
            has_value = action is not None and action.nargs in (None, 1)
            value = next(rest, None) if has_value else None
            words.append(word if value is None else f"{word}={value}")
        return words

    def parse_variable(self, variable: str, word: str) -> dict[str, Any]:
        """The value of one flag, ``--name`` or ``--name=value``, which an environment variable has.

        :raises SystemExit: with status 2 and one line that names the variable.
        """
        with self._reading(variable):
            given = self._values([word])
        self._variables |= dict.fromkeys(given, f"environment variable {variable}")
        return given

    @contextlib.contextmanager
    def _reading(self, variable: str) -> Iterator[None]:
        self._variable = variable
        try:
            yield
        finally:
            self._variable = None

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        # argparse would read an unknown -tsx as "-t sx" and complain about sx.
        for word in words:
            name = word.partition("=")[0]
            if _FLAG.match(name) and name not in self.flags:
                reason = reason_of(name)
                if reason:
                    self.error(f"argument {name}: {reason}")
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

    def switch(self, *names: str, dest: str, to: Any = True, text: str) -> None:
        """A flag without a value, which sets ``dest``."""
        self.value(*names, dest=dest, action="store_const", const=to, help=text)

    def absent(self, *names: str, reason: str, metavar: str | None = None, text: str) -> None:
        """A flag that is refused with a reason."""
        options = {"nargs": "?", "metavar": metavar} if metavar else {"nargs": 0}
        self.value(*names, dest=names[-1], action=_Refuse, const=reason, help=text, **options)

    def idle(
        self, *names: str, warning: str | None = None, metavar: str | None = None, text: str
    ) -> None:
        """A flag that changes nothing, whatever its value."""
        self.value(
            *names,
            dest=WARNINGS,
            action=_Ignore,
            const=warning,
            nargs=1 if metavar else 0,
            metavar=metavar,
            help=text,
        )


class _Refuse(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        parser.error(f"argument {option_string}: {self.const}")


class _Ignore(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.const is not None:
            said = f"{option_string}: {self.const}"
            setattr(namespace, WARNINGS, [*getattr(namespace, WARNINGS, ()), said])


class _HelpFormatter(argparse.RawTextHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=40, width=120)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        short = [name for name in action.option_strings if not name.startswith("--")]
        long = [name for name in action.option_strings if name.startswith("--")]
        names = f"{''.join(f'{name}, ' for name in short):7}{', '.join(long)}"
        return names if action.nargs == 0 else f"{names} {action.metavar}"


def _long(action: argparse.Action) -> str:
    names = action.option_strings
    return next((name for name in names if name.startswith("--")), names[0])


def _with_dashes(word: str) -> str:
    """``--ctx_size=1`` is ``--ctx-size=1``."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else word
