"""How many stacks a grammar leads to, without llama.cpp, which would try them all."""

from __future__ import annotations

import pytest

from llamabox._core.grammar_size import MAX_STACKS, has_too_many_stacks


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
