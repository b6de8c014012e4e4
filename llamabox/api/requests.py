"""From prompts and parameters to the core's requests."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import TypedDict

import llama_cpp

from .._core.backend import Backend
from .._core.dry import DrySamplers
from .._core.outbox import Outbox
from .._core.ratelimit import Bucket
from .._core.request import Request
from .._core.sampler import Sampler
from ..errors import InvalidRequest
from ..params import (
    ChoiceParams,
    EngineParams,
    GenerationParams,
)
from ..ranges import MAX_SEED, RANDOM_SEED, UNLIMITED, WHOLE_PROMPT
from .adapters import Adapters
from .biases import with_bias_ids
from .choices import choice_params
from .constraints import ConstraintCompiler
from .gate import Gate
from .model import Model
from .prompts import Prompt
from .rates import Budgets
from .thinking import Thinking

NS = 1_000_000_000
PRIORITY_NS = 10 * NS
"""What a level of priority is worth in waiting."""


class DraftBounds(TypedDict):
    """As `Request` takes them."""

    n_draft_max: int
    n_draft_min: int
    draft_p_min: float


class RequestMaker:
    """Makes the requests of one engine; may be used by any thread.

    :param n_ctx: tokens that a request may hold.
    :param backend: samplers get what it can run beside the model.
    :param drafts: whether there is anything that drafts.
    :param adapters: what their rows may be computed with.
    :param budgets: what their output is charged to.
    :param gate: passed while the model is used.
    :param constraints: compiles what outputs have to keep to.
    """

    def __init__(
        self,
        model: Model,
        params: EngineParams,
        *,
        n_ctx: int,
        backend: Backend,
        drafts: bool,
        adapters: Adapters,
        budgets: Budgets,
        gate: Gate,
        constraints: ConstraintCompiler,
    ) -> None:
        self._model = model
        self._params = params
        self._n_ctx = n_ctx
        self._backend = backend
        self._drafts = drafts
        self._adapters = adapters
        self._budgets = budgets
        self._gate = gate
        self._constraints = constraints
        self._dry = DrySamplers(llama_cpp)

    def make(self, prompt: Prompt, params: GenerationParams, outbox: Outbox) -> Request:
        """A request with samplers of its own.

        :raises InvalidRequest: a grammar is wrong, a biased token, an adapter or the slot does not
            exist, or the rate is above what may be asked for.
        :raises EngineClosed: the engine is closed.
        """
        return self._make(prompt, params, outbox, 1, self._budgets.bucket(params))

    def _make(
        self,
        prompt: Prompt,
        params: GenerationParams,
        outbox: Outbox,
        n_alike: int,
        bucket: Bucket | None,
    ) -> Request:
        thinking = prompt.turn.thinking if prompt.turn else None
        n_predict, n_keep = params.n_predict, params.n_keep
        if n_predict == UNLIMITED:
            n_trained = self._model.n_ctx_train if self._params.context_shift else 0
            n_predict = max(self._n_ctx, n_trained)
        if n_keep == WHOLE_PROMPT:
            n_keep = prompt.n_tokens
        if params.slot >= self._params.n_parallel:
            raise InvalidRequest(
                f"slot: {params.slot} is not within 0 to {self._params.n_parallel - 1}",
                param="slot",
            )
        return Request(
            prompt.tokens,
            n_predict=n_predict,
            n_ctx=self._n_ctx,
            context_shift=self._params.context_shift,
            n_keep=min(n_keep, self._n_ctx) + self._model.tokenizer.adds_bos,
            n_discard=params.n_discard,
            stops=[stop.encode() for stop in params.stop],
            priority_ns=params.priority * PRIORITY_NS,
            deadline_ns=math.ceil(params.deadline * NS),
            progress=params.progress,
            n_predict_min=params.n_predict_min,
            n_indent=params.n_indent,
            lines_ns=math.ceil(params.max_predict_time * NS),
            slot=params.slot,
            adapters=self._adapters.set_of(params.lora),
            n_probs=params.n_probs,
            post_sampling=params.post_sampling_probs,
            **self._draft_bounds(params),
            n_alike=n_alike,
            starts_anew=not params.cache_prompt,
            n_reuse=params.n_cache_reuse,
            bucket=bucket,
            tokens_per_second=params.tokens_per_second,
            reasoning=thinking.reasoning() if thinking else None,
            sampler=self._sampler(params, thinking),
            vocab=self._model.special_vocab if params.special else self._model.vocab,
            outbox=outbox,
        )

    def make_choices(
        self,
        prompt: Prompt,
        params: GenerationParams,
        choices: ChoiceParams,
        outboxes: Sequence[Outbox],
    ) -> list[tuple[Request, GenerationParams]]:
        """A request for each output that is generated, with its parameters; raises as `make`, and
        `InvalidRequest` for more of them than can ever run and wait."""
        n, n_queue = choices.n_generated, self._params.n_queue
        n_most = self._params.n_parallel + n_queue
        if n_queue and n > n_most:
            param = "n" if n == choices.n else "best_of"
            raise InvalidRequest(
                f"{param}: {n} is above the {n_most} requests that may run and wait at a time",
                param=param,
            )
        each = choice_params(params, choices)
        bucket = self._budgets.bucket(params)
        return [
            (self._make(prompt, one, outbox, n, bucket), one)
            for one, outbox in zip(each, outboxes, strict=True)
        ]

    def _draft_bounds(self, params: GenerationParams) -> DraftBounds:
        """What the request says of drafts, within what the engine allows."""
        engine = self._params
        n_max = engine.n_draft_max if self._drafts else 0
        return DraftBounds(
            n_draft_max=n_max if params.n_draft_max < 0 else min(params.n_draft_max, n_max),
            n_draft_min=engine.n_draft_min if params.n_draft_min < 0 else params.n_draft_min,
            draft_p_min=engine.draft_p_min if params.draft_p_min < 0 else params.draft_p_min,
        )

    def _sampler(self, params: GenerationParams, thinking: Thinking | None) -> Sampler:
        has_budget = thinking is not None and thinking.budget >= 0
        constraint = self._constraints.compile(params)
        with self._gate:
            params = with_bias_ids(params, self._model.tokenizer)
            return Sampler(
                llama_cpp,
                self._model.n_vocab,
                self._n_ctx,
                params,
                self._model.vocab.end_of_generation if params.ignore_eos else (),
                vocab=llama_cpp.llama_model_get_vocab(self._model.address),
                ends=self._model.vocab.end_of_generation,
                n_least=params.n_predict_min,
                seed=secrets.randbelow(MAX_SEED + 1) if params.seed == RANDOM_SEED else params.seed,
                constraint=constraint,
                make_dry=self._dry.make,
                backend=self._backend.is_enabled
                and params.n_probs < 0
                and not params.n_predict_min
                and not has_budget
                and not self._draft_bounds(params)["n_draft_max"],
            )
