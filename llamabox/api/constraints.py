"""Compiled constraints: what an output has to keep to, ready for requests to take.

JSON schemas, regular expressions and grammars of llguidance are compiled by llguidance, whose masks
take microseconds. GBNF stays with llama.cpp (`_core/chain`): it is tried here first, because the
time that llama.cpp takes for a token has no bound.
"""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Sequence
from typing import Any

import llama_cpp
import orjson

from .._core.grammar_trial import try_grammar
from .._core.guidance import Constraint, Guidance, GuidedVocab
from ..errors import IncompatibleLibrary, InvalidRequest
from ..params import GenerationParams
from .call_grammar import WrittenGrammar, call_grammar
from .deep_calls import with_deep_stack
from .formats.tool_format import CallShapes, Tool
from .gate import Gate
from .lark import escaped, regex_terminal
from .library import LIBRARY
from .model import Model
from .schemas import parsed, prepared

__all__ = ["LARK", "ConstraintCompiler", "is_constrained"]

LARK = "%llguidance"
"""What a grammar of llguidance begins with, as in llama.cpp."""
BETWEEN = r"/[ \r\n\t]{0,4}/"
"""What a model may write between the text that a constraint comes after, and what it constrains."""
REFERENCE = "$ref"
MAX_REFERENCES = 4000
SHORT = 2000
"""Characters. In more, llguidance may recurse so deep, from rule to rule or from schema to schema,
that a usual stack overflows."""
MAX_ITEMS = 20_000
"""Of a row of llguidance's parser: four for each optional property of an object."""
MAX_LARK_ITEMS = 1000
"""Where nothing says that it is not ambiguous, which takes time by the square of them."""
JSON = "%json"
MAX_LARK_JSON_ITEMS = 2000
MAX_ENTRIES = 256
MAX_BYTES = 64 << 20
SOURCE_COST = 64
"""Bytes that a compiled constraint takes for each of its source, about."""
ENTRY_COST = 64 << 10
"""Bytes that each takes at least, with what it learns."""

Key = tuple[str, str, str]


def is_constrained(params: GenerationParams) -> bool:
    return bool(params.grammar or params.json_schema or params.regex)


class ConstraintCompiler:
    """Compiles the constraints of one engine's requests, and keeps those used last.

    For any thread. What it has compiled is not compiled again, even if several ask at once.

    :param gate: passed while the model is used.
    """

    def __init__(self, model: Model, gate: Gate) -> None:
        self._model = model
        self._gate = gate
        self._lock = threading.Lock()
        self._vocab_lock = threading.Lock()
        self._guided: GuidedVocab | None = None
        self._done: collections.OrderedDict[Key, Constraint | None] = collections.OrderedDict()
        self._running: dict[Key, threading.Lock] = {}
        self._n_bytes = 0

    def has(self, params: GenerationParams) -> bool:
        """Whether `compile` would return at once."""
        return not is_constrained(params) or _key(params) in self._done

    def compile(self, params: GenerationParams) -> Constraint | None:
        """What the request's sampler takes; None if there is nothing, or only GBNF, which is right.

        Blocks: for milliseconds, some hundred at the most, and for the first constraint as long as
        the vocabulary takes.

        :raises InvalidRequest: it is wrong, or too much; names the field.
        :raises IncompatibleLibrary: llguidance is missing, or another version.
        :raises EngineClosed: the engine is closed.
        """
        if not is_constrained(params):
            return None
        key = _key(params)
        with self._lock:
            if key in self._done:
                self._done.move_to_end(key)
                return self._done[key]
            running = self._running.setdefault(key, threading.Lock())
        try:
            with running:
                with self._lock:
                    if key in self._done:
                        return self._done[key]
                made = self._compile(key)
                self._keep(key, made)
                return made
        except InvalidRequest as error:
            if error.param:
                raise
            raise InvalidRequest(f"{key[0]}: {error}", param=key[0]) from None
        finally:
            with self._lock:
                self._running.pop(key, None)

    def calls(
        self,
        shapes: CallShapes,
        tools: Sequence[Tool],
        *,
        required: bool,
        parallel: bool,
        content: str = "",
        lead: str = "",
        may_lead: bool = True,
        answer: str = "",
    ) -> str:
        """The grammar of an output with calls (`call_grammar`), for `GenerationParams.grammar`.

        Blocks, as `compile` does for the first constraint.

        :raises InvalidRequest: a schema is wrong.
        """
        return call_grammar(
            shapes,
            tools,
            required=required,
            parallel=parallel,
            marked=self._marked(),
            ends=self._ends(),
            content=content,
            lead=lead,
            may_lead=may_lead,
            answer=answer,
        )

    def _marked(self) -> dict[str, int]:
        """Ids of the tokens that no text can mean, by how they are written."""
        return {text.decode("utf-8", "replace"): i for text, i in self._vocab().marked.items()}

    def _keep(self, key: Key, made: Constraint | None) -> None:
        with self._lock:
            self._done[key] = made
            self._n_bytes += _cost(key)
            while len(self._done) > 1 and (
                len(self._done) > MAX_ENTRIES or self._n_bytes > MAX_BYTES
            ):
                oldest, _ = self._done.popitem(last=False)
                self._n_bytes -= _cost(oldest)

    def _compile(self, key: Key) -> Constraint | None:
        field, source, after = key
        if field == "grammar" and not source.lstrip().startswith(LARK):
            if after:
                raise InvalidRequest("GBNF holds from the start of an output")
            with self._gate:
                address = llama_cpp.llama_model_get_vocab(self._model.address)
                try_grammar(llama_cpp, address, self._model.n_vocab, source)
            return None
        kind, text = self._source(field, source)
        if after:
            kind, text = "llguidance", self._behind(after, kind, text)
        vocab = self._vocab()
        n_references = text.count(REFERENCE)
        if n_references > MAX_REFERENCES:
            raise InvalidRequest(f"it has more than {MAX_REFERENCES} references")
        compile_ = functools.partial(
            vocab.compile, kind.encode(), text.encode(), _max_items(field, source)
        )
        return compile_() if len(text) < SHORT else with_deep_stack(compile_)

    def _source(self, field: str, source: str) -> tuple[str, str]:
        if field == "json_schema":
            return "json_schema", orjson.dumps(prepared(parsed(source))).decode()
        return ("regex" if field == "regex" else "lark"), source

    def _behind(self, after: str, kind: str, text: str) -> str:
        """The grammar of any text up to `after`, and then what `kind` and `text` say."""
        body: dict[str, Any] = {"name": "constrained"}
        if kind == "json_schema":
            body["json_schema"] = orjson.loads(text)
        elif kind == "regex":
            body["lark_grammar"] = f"start: {regex_terminal(text)}"
        else:
            body["lark_grammar"] = text
        marked = self._marked()
        token = marked.get(after)
        if token is None:
            head = f"head[lazy]: {regex_terminal('(?s:.*)' + escaped(after))}"
        else:
            others = sorted(set(marked.values()) - set(self._ends()) - {token})
            free = f"(TEXT | <[{','.join(map(str, others))}]>)*" if others else "TEXT"
            head = f"head: {free} <[{token}]>\nTEXT: /(?s:.+)/"
        lark = f"start: head BETWEEN @constrained\n{head}\nBETWEEN: {BETWEEN}\n"
        return orjson.dumps({"grammars": [{"lark_grammar": lark}, body]}).decode()

    def _ends(self) -> tuple[int, ...]:
        ends: tuple[int, ...] = self._model.vocab.end_of_generation
        return ends

    def _vocab(self) -> GuidedVocab:
        with self._vocab_lock:
            if self._guided is None:
                with self._gate:
                    address = llama_cpp.llama_model_get_vocab(self._model.address)
                    self._guided = GuidedVocab(_guidance(), LIBRARY, address, self._ends())
            return self._guided


def _guidance() -> Guidance:
    try:
        from llguidance import _lib
    except ImportError as error:
        raise IncompatibleLibrary(f"llguidance cannot be imported: {error}") from None
    return Guidance(_lib.__file__)


def _key(params: GenerationParams) -> Key:
    for field in ("json_schema", "regex"):
        if getattr(params, field):
            return field, getattr(params, field), params.constrained_after
    return "grammar", params.grammar or "", params.constrained_after


def _max_items(field: str, source: str) -> int:
    if field == "json_schema" or isinstance(source, WrittenGrammar):
        return MAX_ITEMS
    return MAX_LARK_JSON_ITEMS if JSON in source else MAX_LARK_ITEMS


def _cost(key: Key) -> int:
    return ENTRY_COST + SOURCE_COST * len(key[1])
