"""Nanoseconds per call of single parts of the core; no model is loaded."""

from __future__ import annotations

from ..report import Result
from ..settings import Settings
from . import lookup, sampling, stepping, texts

ABOUT = """\
Single parts of the core, called from one thread without a model. Sampling: one row of 151,936
random logits with the default parameters (top_k 40, top_p 0.9, min_p 0.1, temperature 0.8) and
greedy; llamabox from the raw logits, llama.cpp's own samplers on the array of all candidates, with
a copy of 1.8 MB for the array that `llama_sampler_sample` writes on every call, and without it.
N-gram index: tokens that are added to a history, with the search
for what followed the last ones before; the index is made for the history, and a tenth is added.
Steps: 64 slots over a libllama whose functions do nothing, with a vocabulary of 64 tokens, greedy,
while another thread takes the events."""


def run(settings: Settings) -> Result:
    """Measure all parts."""
    step_figures, notes = stepping.measure(settings)
    return Result(
        title="Core",
        about=ABOUT,
        comparisons=sampling.measure(settings),
        figures=(*texts.measure(settings), *lookup.measure(settings), *step_figures),
        notes=notes,
    )
