"""Random requests whose text repeats, and one scheduler for them with drafts or without."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from llamabox.params import GenerationParams
from tests.core.running import Core, LoadedModel, Result

N_DRAFT = 6
DRAFTS: dict[str, int] = {"n_draft_rows": 24, "ngram_min": 1}
GRAMMAR = "root ::= [a-zA-Z ,.\\x22\\n]+"
SAMPLING: tuple[dict[str, Any], ...] = (
    {"temperature": 0},
    {"temperature": 0, "repeat_penalty": 1.1, "repeat_last_n": 8},
    {"temperature": 0.6},
    {"temperature": 0.7, "frequency_penalty": 0.1, "presence_penalty": 0.1},
    {"temperature": 0.6, "top_k": 0, "min_p": 0.3},
    {"temperature": 0.8, "dry_multiplier": 0.5, "dry_allowed_length": 6},
    {"temperature": 0.7, "mirostat": 2, "mirostat_tau": 2.0},
    {"temperature": 0.6, "samplers": ("top_k", "xtc", "temperature"), "xtc_probability": 0.5},
    {"temperature": 0.7, "grammar": GRAMMAR},
)


@dataclasses.dataclass(kw_only=True)
class Case:
    """A prompt and how it is to be continued."""

    prompt: list[int]
    n_predict: int
    options: dict[str, Any]

    def submit(self, core: Core, n_draft_max: int = 0) -> Result:
        return core.submit(self.prompt, self.n_predict, n_draft_max=n_draft_max, **self.options)


def random_cases(
    model: LoadedModel,
    n: int,
    seed: int,
    *,
    n_prompt: int = 50,
    n_predict: int = 40,
    endless: bool = False,
) -> list[Case]:
    """Prompts that say things again, continued by samplers of all kinds."""
    rng = np.random.default_rng(seed)
    end = model.vocab.end_of_generation[0]
    cases = []
    for i in range(n):
        phrase = model.random_prompt(rng, int(rng.integers(2, 9)))
        prompt = [int(rng.integers(model.n_vocab // 2)), *phrase * (n_prompt // len(phrase))]
        prompt = prompt[: int(rng.integers(n_prompt // 2, n_prompt))]
        params = GenerationParams(
            **SAMPLING[i % len(SAMPLING)],
            seed=i,
            ignore_eos=bool(rng.random() < 0.5) or endless,
            # The phrase comes again: a random model would not say it.
            logit_bias=tuple((token, 6.0) for token in {*phrase, end}),
        )
        options: dict[str, Any] = {"params": params}
        if rng.random() < 0.3:
            options["n_probs"] = int(rng.integers(0, 4))
            options["post_sampling"] = bool(rng.random() < 0.3)
        cases.append(
            Case(prompt=prompt, n_predict=int(rng.integers(1, n_predict)), options=options)
        )
    return cases


def with_stops(cases: list[Case], results: list[Result], seed: int) -> list[Case]:
    """The cases again, each with a stop string that its output has in it."""
    rng = np.random.default_rng(seed)
    stopped = []
    for case, result in zip(cases, results, strict=True):
        n = len(result.text)
        if n > 4:
            at = int(rng.integers(1, n - 2))
            stop = result.text[at : at + int(rng.integers(1, 12))]
            stopped.append(
                Case(
                    prompt=case.prompt,
                    n_predict=case.n_predict,
                    options={**case.options, "stops": [stop, b"never said"]},
                )
            )
    return stopped


def run_all(model: LoadedModel, cases: list[Case], *, drafts: bool, **options: Any) -> Run:
    """All cases in one scheduler; with drafts, whatever they cost.

    Rows are computed beside others in either case, so their logits differ by rounding; little
    enough with cells of full precision that nothing else is drawn.
    """
    gone: dict[str, int] = {}
    with Core(model, f32_cells=True, **(DRAFTS if drafts else gone), **options) as core:
        if drafts:
            core.scheduler.speculation.lengths.costs.fix(1.0)
        results = [case.submit(core, N_DRAFT if drafts else 0) for case in cases]
        core.wait()
        stats = core.stats()
        core.checked_lengths()
    return Run(results=results, stats=stats)


@dataclasses.dataclass(kw_only=True)
class Run:
    """What came of some cases."""

    results: list[Result]
    stats: dict[str, Any]

    def check_equal(self, other: Run) -> None:
        """The other has the same outputs, with drafts that were accepted and rejected."""
        for mine, its in zip(self.results, other.results, strict=True):
            assert its.tokens == mine.tokens
            assert its.text == mine.text
            assert its.finish == mine.finish
            assert its.n_tokens == mine.n_tokens == len(mine.tokens)
            assert its.request.i_stop == mine.request.i_stop
            check_equal_probs(mine.probs, its.probs)
            assert mine.request.n_drafted == 0
            assert 0 <= its.request.n_draft_accepted <= its.request.n_drafted
            assert its.request.n_draft_accepted <= its.n_tokens
        n_drafted, n_accepted = other.stats["n_drafted"], other.stats["n_draft_accepted"]
        assert n_drafted == sum(r.request.n_drafted for r in other.results)
        assert n_accepted == sum(r.request.n_draft_accepted for r in other.results)
        assert n_accepted == sum(other.stats["n_accepted_at"])
        assert 0 < n_accepted < n_drafted
        assert other.stats["n_steps"] < self.stats["n_steps"]
        for name in ("n_output_tokens", "n_requests"):
            assert other.stats[name] == self.stats[name]


def check_equal_probs(
    mine: list[list[tuple[int, float]]], its: list[list[tuple[int, float]]]
) -> None:
    assert len(its) == len(mine)
    for a, b in zip(mine, its, strict=True):
        assert a[0][0] == b[0][0]
        np.testing.assert_allclose([p for _, p in b], [p for _, p in a], atol=2e-3)
