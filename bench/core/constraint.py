"""What it costs to hold an output to a JSON schema: llguidance beside llama.cpp's grammars."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import Any

import llama_cpp
import llguidance
import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf

from llamabox._core.guidance import Guidance, GuidedVocab
from llamabox._core.lib import Library
from llamabox.api.constraints import MAX_ITEMS
from llamabox.api.schemas import prepared

from ..models import VOCAB
from ..pairs import Comparison, Quantity, compare_all
from ..peers.build_llama_server import BuildError, sources
from ..report import Figure, Result
from ..settings import PACKAGED, Settings, chosen_models

ABOUT = """\
A JSON document is written token by token under its schema, with every token tried in three ways:
whether the next token fits (check), which of all tokens fit (mask), and going on with it
(advance). llamabox by llguidance's C API, llama.cpp by the grammar that llama-cpp-python makes of
the schema. Spaces are compact on both sides. Construction is the schema's way to the first
token, llguidance's first mask included; the vocabulary is prepared once."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "kind": {"enum": [f"kind number {i}" for i in range(40)]},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["street", "zip"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "tags", "kind", "address"],
    "additionalProperties": False,
}
DOCUMENT = {
    "name": "Ada Lovelace",
    "age": 36,
    "tags": ["mathematics", "poetry", "engines"],
    "kind": "kind number 17",
    "address": {"street": "12 St James's Square, London", "zip": "SW1Y 4JH"},
}
PARTS = ("check", "mask", "advance")


@dataclasses.dataclass(slots=True)
class Costs:
    """Microseconds of each token."""

    check: list[float] = dataclasses.field(default_factory=list)
    mask: list[float] = dataclasses.field(default_factory=list)
    advance: list[float] = dataclasses.field(default_factory=list)
    construction: float = 0.0

    def figures(self) -> list[float]:
        parts = [self.check, self.mask, self.advance]
        return [*map(statistics.median, parts), *map(max, parts), self.construction]


def run(settings: Settings) -> Result:
    """Both vocabularies: the packaged model's, and one of 151,936 tokens."""
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    paths, notes = chosen_models(settings, [PACKAGED])
    try:
        paths.append(sources() / VOCAB)
    except BuildError as error:
        notes.append(f"no large vocabulary: {error}")
    for path in paths:
        with _Vocabulary(path) as vocab:
            comparisons += _compare(vocab, settings)
            case = f"a vocabulary of {vocab.n_tokens:,} tokens, prepared once"
            figures.append(Figure(case=case, value=1e3 * vocab.seconds, unit="ms"))
    return Result(
        title="Constraints",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Vocabulary:
    """A vocabulary without its model, for both sides."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        self.address = llama_cpp.llama_model_get_vocab(self._model)
        self.n_tokens: int = llama_cpp.llama_vocab_n_tokens(self.address)
        eog = [t for t in range(self.n_tokens) if llama_cpp.llama_vocab_is_eog(self.address, t)]
        started = time.perf_counter()
        guidance = Guidance(llguidance._lib.__file__)
        self.guided = GuidedVocab(guidance, Library(llama_cpp), self.address, eog)
        self.seconds = time.perf_counter() - started
        text = json.dumps(DOCUMENT, separators=(",", ":")).encode()
        tokens = (llama_cpp.llama_token * len(text))()
        n = llama_cpp.llama_tokenize(self.address, text, len(text), tokens, len(text), False, False)
        self.document = list(tokens[:n])

    def __enter__(self) -> _Vocabulary:
        return self

    def __exit__(self, *_: object) -> None:
        llama_cpp.llama_model_free(self._model)


def _compare(vocab: _Vocabulary, settings: Settings) -> tuple[Comparison, ...]:
    quantities = [
        Quantity(
            case=f"constraint, {case}, {vocab.n_tokens:,} tokens",
            unit="µs",
            lower_is_better=True,
            in_summary=case == "mask",
        )
        for case in (*PARTS, *(f"worst {part}" for part in PARTS), "construction")
    ]
    return compare_all(
        quantities,
        ours=lambda: _llguidance(vocab).figures(),
        peer=lambda: _llama_cpp(vocab).figures(),
        peer_name="llama.cpp's grammar",
        runs=settings.runs,
    )


def _llguidance(vocab: _Vocabulary) -> Costs:
    costs = Costs()
    source = json.dumps(prepared(SCHEMA)).encode()
    started = time.perf_counter()
    constraint = vocab.guided.compile(b"json_schema", source, MAX_ITEMS)
    costs.construction = _us(started)
    for check, mask, advance in constraint.timed(vocab.document):
        costs.check.append(check / 1e3)
        costs.mask.append(mask / 1e3)
        costs.advance.append(advance / 1e3)
    return costs


def _llama_cpp(vocab: _Vocabulary) -> Costs:
    costs = Costs()
    started = time.perf_counter()
    grammar = json_schema_to_gbnf(json.dumps(SCHEMA))
    sampler = llama_cpp.llama_sampler_init_grammar(vocab.address, grammar.encode(), b"root")
    costs.construction = _us(started)
    one = (llama_cpp.llama_token_data * 1)()
    all_ = (llama_cpp.llama_token_data * vocab.n_tokens)()
    view = np.frombuffer(all_, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    for token in vocab.document:
        one[0].id, one[0].logit = token, 1.0
        costs.check.append(_apply(sampler, one))
        if not one[0].logit > 0:
            raise RuntimeError("llama.cpp's grammar refuses the document")
        view["id"], view["logit"] = np.arange(vocab.n_tokens), 0
        costs.mask.append(_apply(sampler, all_))
        started = time.perf_counter()
        llama_cpp.llama_sampler_accept(sampler, token)
        costs.advance.append(_us(started))
    llama_cpp.llama_sampler_free(sampler)
    return costs


def _apply(sampler: Any, data: Any) -> float:
    array = llama_cpp.llama_token_data_array(data, len(data), -1, False)
    started = time.perf_counter()
    llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
    return _us(started)


def _us(started: float) -> float:
    return (time.perf_counter() - started) * 1e6
