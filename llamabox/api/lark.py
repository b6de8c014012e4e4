"""Text and regular expressions as parts of a grammar in llguidance's variant of Lark."""

from __future__ import annotations

__all__ = ["escaped", "regex_terminal"]


def regex_terminal(regex: str) -> str:
    """A regular expression between slashes, as Lark has it."""
    made, escapes = [], False
    for character in regex:
        if character == "/" and not escapes:
            made.append("\\/")
        elif character == "\n":
            made.append("n" if escapes else "\\n")
        else:
            made.append(character)
        escapes = character == "\\" and not escapes
    return f"/{''.join(made)}/"


def escaped(text: str) -> str:
    """A regular expression that matches this text alone."""
    special = "\\.+*?()|[]{}^$#&-~/"
    return "".join(f"\\{c}" if c in special and c != "/" else c for c in text)
