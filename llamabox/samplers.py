"""The names of llama.cpp's samplers, and the shorter ways to write a sequence of them.

Leaf module, as `params`, whose `GenerationParams.samplers` this is about.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import InvalidRequest

__all__ = ["DEFAULT_SAMPLERS", "SAMPLER_CHARS", "samplers_from_chars", "samplers_from_names"]

SAMPLER_CHARS = {
    "e": "penalties",
    "d": "dry",
    "s": "top_n_sigma",
    "k": "top_k",
    "y": "typ_p",
    "p": "top_p",
    "m": "min_p",
    "x": "xtc",
    "t": "temperature",
    "i": "infill",
    "a": "adaptive_p",
}
"""Names by their letters (``--sampling-seq``)."""


def samplers_from_chars(chars: str) -> tuple[str, ...]:
    """A sequence of letters, such as ``edskypmxt``, as names.

    :raises InvalidRequest: a letter stands for no sampler.
    """
    for char in chars:
        if char not in SAMPLER_CHARS:
            raise InvalidRequest(f"samplers: {char!r} stands for no sampler", param="samplers")
    return tuple(SAMPLER_CHARS[char] for char in chars)


DEFAULT_SAMPLERS = samplers_from_chars("edskypmxt")


def _spellings() -> dict[str, str]:
    known = {"nucleus": "top_p", "temp": "temperature", "typ": "typ_p"}
    for name in SAMPLER_CHARS.values():
        for joint in "_", "-", "":
            known[name.replace("_", joint)] = name
    return known


SPELLINGS = _spellings()


def samplers_from_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names as users write them (``top-k``, ``TopK``, ``temp``), as llama.cpp has them.

    :raises InvalidRequest: there is no sampler of that name.
    """
    found = []
    for name in names:
        canonical = SPELLINGS.get(str(name).lower())
        if canonical is None:
            raise InvalidRequest(f"samplers: there is no sampler {name!r}", param="samplers")
        found.append(canonical)
    return tuple(found)
