"""Schedulers whose drafts come from a model, and random requests for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import llama_cpp
import numpy as np

from llamabox._core.context import Context
from llamabox._core.lib import Library
from llamabox._core.model_drafter import ModelDrafter
from llamabox.params import GenerationParams
from tests.core.faults import Decoder
from tests.core.running import Core, LoadedModel, Result

GRAMMAR = 'root ::= ([a-m] | "th" | " ")+ "."'
N_DRAFT_ROWS = 64
ANY_COST = 1e9
"""Of a forward, in nanoseconds, however many rows it has: then every draft is worth it."""
Outcome = tuple[list[int], bytes, int, int]


class DraftedCore(Core):
    """A `Core` with a draft model.

    :param draft: the draft model.
    :param draft_decoder: what computes its forwards.
    :param n_draft_cells: cells of its pool; as many as the target's, if none are said.
    :param n_readable: tokens that it is said to have; else its own.
    """

    def __init__(
        self,
        model: LoadedModel,
        draft: LoadedModel,
        *,
        n_ctx: int = 1024,
        n_parallel: int = 4,
        partitioned: bool = False,
        draft_decoder: Decoder | None = None,
        n_draft_cells: int | None = None,
        n_readable: int | None = None,
        **options: Any,
    ) -> None:
        n_sequences = n_parallel + partitioned
        self._draft_address = draft.new_context(
            n_ctx,
            n_parallel,
            256,
            64,
            n_sequences=n_sequences,
            partitioned=partitioned,
            f32_cells=True,
        )
        self._draft_decoder = draft_decoder
        binding = draft_decoder.binding if draft_decoder else llama_cpp
        self.drafter = ModelDrafter(
            Context(Library(binding), self._draft_address),
            model.vocab,
            n_readable or draft.n_vocab,
            n_parallel,
            n_draft_cells or n_ctx,
        )
        super().__init__(
            model,
            n_ctx=n_ctx,
            n_parallel=n_parallel,
            partitioned=partitioned,
            n_sequences=n_sequences,
            drafter=self.drafter,
            n_draft_rows=N_DRAFT_ROWS,
            f32_cells=True,
            **options,
        )
        self.scheduler.speculation.lengths.costs.fix(ANY_COST)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        llama_cpp.llama_free(self._draft_address)

    def submit_together(self, jobs: Sequence[Job]) -> list[Result]:
        """Requests that arrive in the same step."""
        requests = [
            self.request(job.prompt, job.n_predict, **job.options, **job.drafting) for job in jobs
        ]
        results = [Result(request=request) for request in requests]
        for result in results:
            result.request.consumer = result
        self.results += results
        assert self.scheduler.submit(*requests)
        return results

    def draft_lengths(self) -> list[int]:
        """What each sequence of the draft model holds by the books; its memory agrees."""
        self.stats()
        lengths = self.drafter.sequence_lengths()
        context = self.drafter.context
        assert [context.positions(i)[1] for i in range(len(lengths))] == lengths
        return lengths


@dataclasses.dataclass(frozen=True)
class Job:
    """A request, and how it is drafted for."""

    prompt: list[int]
    n_predict: int
    options: dict[str, Any]
    drafting: dict[str, Any]

    def submit(self, core: Core) -> Result:
        return core.submit(self.prompt, self.n_predict, **self.options, **self.drafting)

    def plain(self) -> Job:
        """The same without drafts."""
        return dataclasses.replace(self, drafting={})


def random_jobs(model: LoadedModel, n: int, *, seed: int) -> list[Job]:
    """Greedy and seeded requests, with and without stop strings, penalties and a grammar; some
    share a part of their prompts."""
    rng = np.random.default_rng(seed)
    shared = model.random_prompt(rng, 60)
    return [_random_job(model, rng, shared) for _ in range(n)]


def _random_job(model: LoadedModel, rng: np.random.Generator, shared: list[int]) -> Job:
    prompt = [
        *shared[: int(rng.choice([0, 0, 20, 60]))],
        *model.random_prompt(rng, 1 + rng.integers(40)),
    ]
    params = GenerationParams(
        temperature=float(rng.choice([0.0, 0.3, 1.0])),
        seed=int(rng.integers(2**31)),
        top_k=int(rng.choice([0, 40])),
        repeat_penalty=float(rng.choice([1.0, 1.2])),
        grammar=GRAMMAR if rng.random() < 0.15 else None,
        ignore_eos=bool(rng.random() < 0.5),
    )
    stops = [b"th", b"ea"] if rng.random() < 0.3 else []
    drafting = {
        "n_draft_max": int(rng.choice([1, 2, 5, 16])),
        "n_draft_min": int(rng.choice([0, 0, 3])),
        "draft_p_min": float(rng.choice([0.0, 0.004, 0.02])),
    }
    return Job(prompt, int(rng.integers(1, 40)), {"params": params, "stops": stops}, drafting)


def run_jobs(core: Core, jobs: list[Job]) -> list[Result]:
    results = [job.submit(core) for job in jobs]
    core.wait(*results)
    return results


def outcome(result: Result) -> Outcome:
    """All that a client can tell of an output."""
    return result.tokens, result.text, result.finish, result.n_tokens
