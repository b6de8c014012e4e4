"""Every flag of llama-box that is about text: its group in the help, its default, what it sets."""

from __future__ import annotations

import itertools
import re

import pytest

from llamabox.server.cli import Command, flag_parser, parse
from tests.server import flag_table
from tests.server.flag_table import (
    FLAGS,
    GENERAL,
    MORE,
    OF_FILES,
    PRINTS,
    SILENT,
    Flag,
    Refused,
)

TABLE = [flag for flags in FLAGS.values() for flag in flags]
SETTING = [flag for flag in TABLE if isinstance(flag, Flag)]
REFUSED = [flag for flag in TABLE if isinstance(flag, Refused)]
WITHOUT_NUMBER = ("rope_freq_base", "rope_freq_scale")
"""Whose default of 0 is the model's, and is told as that."""


def read(command: Command, path: str) -> object:
    """What stands at a path; None where there is nothing on the way."""
    value: object = command
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value


def sections() -> dict[str, list[str]]:
    """The names in the help text, by the headings that they stand under."""
    found: dict[str, list[str]] = {}
    for line in flag_parser().format_help().splitlines():
        if re.fullmatch(r"[\w/]+:", line):
            names = found.setdefault(line.removesuffix(":"), [])
        elif re.match(r" {2}-| {9}--", line):
            words = itertools.takewhile(lambda word: word.startswith("-"), line.split())
            names += [word.rstrip(",") for word in words]
    return found


@pytest.mark.parametrize("flag", [*SETTING, *MORE], ids=lambda flag: flag.names[0])
def test_a_flag_sets_what_it_is_for(flag: Flag) -> None:
    assert read(parse([], {}), flag.where) == flag.default
    for name in flag.names:
        words = [name] if flag.value is None else [name, flag.value]
        assert read(parse([*words, *flag.needs], {}), flag.where) == flag.becomes, name


@pytest.mark.parametrize("flag", REFUSED, ids=lambda flag: flag.names[0])
def test_a_flag_of_what_is_not_here_is_refused_with_the_reason(
    flag: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in flag.names:
        for words in ([name], [name, flag.value or "1"]) if flag.value else ([name],):
            with pytest.raises(SystemExit) as caught:
                parse(words, {})
            assert caught.value.code == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"llamabox: error: argument {name}: ")
            assert flag.reason in line


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--pooling", "no embeddings"),
        ("--attention", "no embeddings"),
        ("--visual-max-image-size", "text only"),
        ("--max-projected-cache", "text only"),
        ("--image-max-batch", "no images"),
        ("--image-vae-tiling", "no images"),
        ("--rpc-server-port", "serves no devices"),
        ("--ssl-key-file", "reverse proxy"),
        ("--api-prefix", "reverse proxy"),
        ("--webui-config", "no web interface"),
        ("--models-dir", "one server has one model"),
        ("--no-cont-batching", "continuous"),
        ("--slots", "no such route"),
        ("--props", "cannot be changed"),
        ("-sps", "prefixes of any length"),
        ("--fit-target", "-ngl and -c"),
        ("-tbd", "threads of -t"),
        ("--poll-batch-draft", "threads of -t"),
        ("--spec-draft-prio", "threads of -t"),
        ("-Crd", "threads of -t"),
        ("-ctkd", "cells are f16"),
    ],
)
def test_flags_of_other_groups_are_refused_with_the_reason(
    flag: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([flag, "1"], {})
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


@pytest.mark.parametrize("start", PRINTS)
def test_a_flag_that_prints(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in PRINTS[start]:
        with pytest.raises(SystemExit) as caught:
            parse([name], {})
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith(start)


def test_flags_that_change_nothing_say_so_or_are_silent() -> None:
    silent = parse(["--jinja", "-cb", "--no-webui", "--no-slots", "--no-perf"], {})
    assert silent.warnings == ()
    assert silent.config == parse([], {}).config
    warned = parse(["-dt", "0.1", "--defrag-thold", "-1"], {})
    assert [line.split(":")[0] for line in warned.warnings] == ["-dt", "--defrag-thold"]


def test_the_help_has_every_flag_in_its_group() -> None:
    shown = sections()
    for group, flags in FLAGS.items():
        wanted = {name for flag in flags for name in flag.names}
        wanted |= set(SILENT.get(group, ()))
        if group == GENERAL:
            wanted |= {name for names in PRINTS.values() for name in names}
        if group == flag_table.COMPLETION:
            wanted |= set(OF_FILES)
        assert wanted <= set(shown[group]), wanted - set(shown[group])


def test_the_help_has_every_flag_that_is_read() -> None:
    names = {name for names in sections().values() for name in names}
    assert set(flag_parser().flags) == names


@pytest.mark.parametrize(
    "flag",
    [flag for flag in SETTING if isinstance(flag.default, (int, float))],
    ids=lambda flag: flag.names[0],
)
def test_the_help_tells_the_default(flag: Flag) -> None:
    if isinstance(flag.default, bool) or flag.where.endswith(WITHOUT_NUMBER):
        return
    if flag.value is None or flag.names[0] == "-lv":
        return
    text = flag_parser().flags[flag.names[0]].help or ""
    assert re.search(rf"default: {re.escape(f'{flag.default:g}')}\b", text), text
