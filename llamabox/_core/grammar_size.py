"""How much llama.cpp makes of a grammar in GBNF.

In memory: it copies what is repeated. In stacks at one place: it follows all that may come next
before the first character, and where much of that may be empty, there is no end of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_STACKS = 20_000
"""What llama.cpp takes grows with their square: these take seconds."""
ELEMENT_BYTES = 24
"""Of a character or a name, in the copies that llama.cpp makes while it reads a grammar."""
RULE_BYTES = 128
"""Of a rule that it makes itself, whose name is that of the rule around it, with a number."""
MAX_TIMES = 2000
"""More repetitions than that, llama.cpp takes for any number."""

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    |(?P<rule>[a-zA-Z0-9_-]+\s*::=)
    |(?P<name>[a-zA-Z0-9_-]+)
    |(?P<text>"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|!?<[^>]*>|\.)
    |(?P<repeat>[*?+]|\{\s*(?:\d+\s*)?(?:,\s*(?:\d+\s*)?)?\})
    |(?P<mark>[()|])""",
    re.VERBOSE | re.DOTALL,
)

Item = tuple[str, str]
"""A kind, "text" or "name", and what it is; a text is "" if it is empty."""


def has_too_many_stacks(text: str) -> bool:
    """Whether some rule leads to more than `MAX_STACKS`; False of what is no grammar.

    :param text: whose parentheses do not nest deep.
    """
    return _most_stacks(_rules(text)) > MAX_STACKS


def n_bytes(text: str) -> int:
    """About how much memory llama.cpp takes for a grammar."""
    n_total = n_name = n_last = 0  # n_last: elements of what a repetition would repeat
    for kind, token in _tokens(text):
        n_rules = 0
        if kind == "rule":
            n_name = len(token)
        elif kind == "repeat":
            least, most = _times(token)
            n_rules = 1 if most is None else max(0, most - least)
            n_total += ELEMENT_BYTES * n_last * (least + n_rules)
            n_last = n_last * least + 1
        else:
            n_rules = int(token == "(")
            n_last = len(token) if kind == "text" else 1
            n_total += ELEMENT_BYTES * n_last
        n_total += (RULE_BYTES + n_name) * n_rules
    return n_total


def _times(repeat: str) -> tuple[int, int | None]:
    """How often there is at least what it repeats, and at most; None: as often as you like."""
    if repeat in "*+?":
        return int(repeat == "+"), 1 if repeat == "?" else None
    least, comma, most = (part.strip("{}").strip() for part in repeat.partition(","))
    n_least = _number(least)
    if not comma:
        return n_least, n_least
    n_most = _number(most)
    return n_least, n_most if most and n_most <= MAX_TIMES else None


def _number(digits: str) -> int:
    """One of too many digits is some other large one."""
    return int(digits.lstrip("0")[:9] or 0)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return
        position = match.end()
        if match.lastgroup != "skip":
            yield match.lastgroup or "", match[0]


def _rules(text: str) -> dict[str, list[list[Item]]]:
    """The alternatives of each rule; those in parentheses and repetitions have rules of their own,
    as in llama.cpp."""
    rules: dict[str, list[list[Item]]] = {}
    open_: list[list[list[Item]]] = [[[]]]
    for kind, token in _tokens(text):
        items = open_[-1][-1]
        if kind == "rule":
            name = token.removesuffix("::=").rstrip()
            open_ = [rules.setdefault(name, [])]
            open_[-1].append([])
        elif kind == "name":
            items.append(("name", token))
        elif kind == "text":
            items.append(("text", "" if token == '""' else token))
        elif kind == "repeat" and items:
            if _times(token)[0] == 0:
                items.append(_named(rules, [[items.pop()], []]))
        elif token == "(":
            open_.append([[]])
        elif token == "|":
            open_[-1].append([])
        elif token == ")" and len(open_) > 1:
            alternatives = open_.pop()
            open_[-1][-1].append(_named(rules, alternatives))
    return rules


def _named(rules: dict[str, list[list[Item]]], alternatives: list[list[Item]]) -> Item:
    name = f"({len(rules)}"
    rules[name] = alternatives
    return "name", name


def _nullable(rules: dict[str, list[list[Item]]]) -> set[str]:
    """Names of the rules that an empty text fits."""
    users: dict[str, list[int]] = {}
    owners: list[str] = []
    n_missing: list[int] = []
    found: set[str] = set()
    for name, alternatives in rules.items():
        for items in alternatives:
            for kind, value in items:
                if kind == "name":
                    users.setdefault(value, []).append(len(owners))
            owners.append(name)
            n_missing.append(sum(kind == "name" or bool(value) for kind, value in items))
    todo = [name for name, n in zip(owners, n_missing, strict=True) if n == 0]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for i in users.get(name, ()):
            n_missing[i] -= 1
            if n_missing[i] == 0:
                todo.append(owners[i])
    return found


def _is_empty(item: Item, nullable: set[str]) -> bool:
    kind, value = item
    return value in nullable if kind == "name" else not value


def _most_stacks(rules: dict[str, list[list[Item]]]) -> int:
    """Of any rule; what goes round has no end anyway, and is left out."""
    nullable = _nullable(rules)
    firsts = {name: _firsts(alternatives, nullable) for name, alternatives in rules.items()}
    counts: dict[str, int] = {}
    for start in rules:
        path = [(start, iter(firsts[start]))]
        while path:
            name, rest = path[-1]
            counts.setdefault(name, 0)
            following = next(rest, None)
            if following is None:
                path.pop()
                n = sum(counts.get(first, 1) for first in firsts[name])
                counts[name] = min(n, MAX_STACKS + 1)
            elif following in rules and following not in counts:
                path.append((following, iter(firsts[following])))
    return max(counts.values(), default=0)


def _firsts(alternatives: list[list[Item]], nullable: set[str]) -> list[str]:
    """What may begin one of them, as often as it may: names of rules, "" for anything else."""
    firsts = []
    for items in alternatives:
        for item in items:
            firsts.append(item[1] if item[0] == "name" else "")
            if not _is_empty(item, nullable):
                break
        else:
            firsts.append("")
    return firsts
