"""How many stacks a grammar leads to, without llama.cpp, which would try them all."""

from __future__ import annotations

import pytest

from llamabox._core.grammar_size import (
    ELEMENT_BYTES,
    MAX_STACKS,
    RULE_BYTES,
    has_too_many_stacks,
    n_bytes,
)


def doubled(n: int, rule: str) -> str:
    rules = "\n".join(rule.format(a=f"a{i}", b=f"a{i + 1}") for i in range(n))
    return f'root ::= "y" a0\n{rules}\na{n} ::= "x" | ""\n'


@pytest.mark.parametrize(
    "rule",
    [
        '{a} ::= {b} {b} | ""',
        "{a} ::= {b}? {b}",
        "{a} ::= ({b} | {b}) # (",
        "{a} ::= {b}{{0,3}} [(\\]] {b} | {b}",
        '{a} ::= "" | {b} | ( {b} )',
    ],
)
def test_what_doubles_is_too_much(rule: str) -> None:
    assert not has_too_many_stacks(doubled(6, rule))
    assert has_too_many_stacks(doubled(40, rule))


@pytest.mark.parametrize(
    "grammar",
    [
        doubled(40, '{a} ::= "z" {b} {b} | "w"'),
        doubled(40, '{a} ::= "z"+ {b} {b}'),
        doubled(40, "{a} ::= {b}{{2}}"),
        "root ::= " + " | ".join(f'"word {i}"' for i in range(MAX_STACKS // 2)),
        "root ::= r0\n" + "".join(f"r{i} ::= r{i + 1}\n" for i in range(9_000)),
        'root ::= root "a" | "b"',
        "root ::= missing | @",
        "",
    ],
)
def test_what_does_not_double_is_not(grammar: str) -> None:
    assert not has_too_many_stacks(grammar)


CLASS = "[" + 98 * "a" + "]"
"""Of 100 characters."""


@pytest.mark.parametrize(
    ("repetition", "n_copies", "n_rules"),
    [
        ("", 0, 0),
        ("?", 1, 1),
        ("*", 1, 1),
        ("+", 2, 1),
        ("{7}", 7, 0),
        ("{ 007 }", 7, 0),
        ("{3,7}", 7, 4),
        ("{\n3 ,}", 4, 1),
        ("{,7}", 7, 7),
        ("{3,100000}", 4, 1),
        ("{" + " " * 100_000 + "7}", 7, 0),
        ("{" + "0" * 100_000 + "7}", 7, 0),
        ("{" + " " * 100_000 + "x", 0, 0),
    ],
)
def test_what_is_repeated_is_copied(repetition: str, n_copies: int, n_rules: int) -> None:
    once = ELEMENT_BYTES * len(CLASS)
    rules = n_rules * (RULE_BYTES + len("root ::="))
    assert n_bytes(f"root ::= {CLASS}{repetition}") == once * (1 + n_copies) + rules


def test_copies_are_copied() -> None:
    assert n_bytes(f"root ::= {CLASS}{{100}}{{20}}") > ELEMENT_BYTES * len(CLASS) * 2000
    assert n_bytes(f"root ::= {CLASS} x{{100}}{{20}}") < ELEMENT_BYTES * len(CLASS) * 30


def test_names_are_copied() -> None:
    assert n_bytes("r" * 1000 + ' ::= ("a" "b"?){0,100}') > 100 * 1000


@pytest.mark.parametrize(("digit", "is_empty"), [("1", False), ("0", True)])
def test_numbers_have_any_length(digit: str, is_empty: bool) -> None:
    grammar = doubled(40, f'{{a}} ::= "z"{{{{{5000 * digit}}}}} {{b}} {{b}}')
    assert has_too_many_stacks(grammar) == is_empty
