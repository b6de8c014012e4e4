"""Values that switch something on or off, or leave it to the server."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

__all__ = ["FALSE", "TRUE", "switch"]

TRUE = ("on", "1", "true", "yes", "enabled")
FALSE = ("off", "0", "false", "no", "disabled")
WORDS: Mapping[str, str] = {
    **dict.fromkeys(TRUE, "on"),
    **dict.fromkeys(FALSE, "off"),
    **dict.fromkeys(("auto", "-1"), "auto"),
}


def switch(text: str) -> str:
    """``on``, ``off`` or ``auto``, by any of the names that llama-server has for them."""
    word = WORDS.get(text.lower())
    if word is None:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(WORDS)}")
    return word
