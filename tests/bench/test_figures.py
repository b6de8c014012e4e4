"""Pairs, tables, the README's summary, and the raw loop as an honest peer."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bench.busyness import OtherWork, ThreadClock
from bench.engine_streams import greedy
from bench.pairs import Comparison, compare
from bench.prompts import text_prompts, token_prompts
from bench.raw import RawLoop
from bench.report import BEGIN, END, Result, render_page, render_result, replace_summary
from llamabox import Engine, EngineParams, Model, Prompt


def test_sides_take_turns_and_pairs_are_compared() -> None:
    order: list[str] = []

    def side(name: str, figure: float) -> float:
        order.append(name)
        return figure

    ours, peer = iter([9.0, 2.0, 6.0, 8.0]), iter([9.0, 1.0, 2.0, 2.0])
    comparison = compare(
        "a case",
        ours=lambda: side("A", next(ours)),
        peer=lambda: side("B", next(peer)),
        peer_name="other",
        unit="tok/s",
        runs=3,
    )
    assert order == ["A", "B", "A", "B", "B", "A", "A", "B"]
    assert (comparison.our_median, comparison.peer_median) == (6.0, 2.0)
    assert comparison.ratios == (2.0, 3.0, 4.0)
    assert comparison.ratio == 3.0


def test_costs_compare_the_other_way_round() -> None:
    costs = Comparison(
        case="c", unit="ns", peer_name="p", ours=(2.0,), peers=(8.0,), lower_is_better=True
    )
    assert costs.ratio == 4.0


def test_result_page() -> None:
    comparison = Comparison(
        case="c", unit="tok/s", peer_name="raw", ours=(1234.5,), peers=(1000.0,)
    )
    result = Result(title="T", about="About.", comparisons=(comparison,), notes=("a note",))
    table = "| c | 1,234 tok/s | 1,000 tok/s (raw) | 1.23 | 1.23 - 1.23 | 1 |"
    assert table in render_result(result)
    page = render_page([("CPU", "x")], [result])
    assert "- a note" in page
    assert "| CPU | x |" in page


def test_summary_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"head\n{BEGIN}\nold\n{END}\ntail\n")
    assert replace_summary(readme, "new")
    assert readme.read_text() == f"head\n{BEGIN}\nnew\n{END}\ntail\n"


@pytest.mark.parametrize("text", ["", "no markers", f"{END} {BEGIN}"])
def test_readme_without_a_place_stays_as_it_is(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    assert not replace_summary(readme, "new")
    assert readme.read_text() == text


def test_prompts_share_no_beginning() -> None:
    texts = text_prompts(50, 5, seed=3)
    assert len({text.split()[0] for text in texts}) == 50
    tokens = token_prompts(50, 4, 2048, seed=3)
    assert len({int(prompt[0]) for prompt in tokens}) == 50


def test_raw_loop_gives_the_engine_its_tokens() -> None:
    n_predict = 24
    with Model.load() as model:
        prompts = token_prompts(2, 8, model.n_vocab, seed=1)
        raw = RawLoop(model, n_sequences=2, n_ctx=512, n_batch=64, n_threads=1)
        try:
            outputs, seconds = raw.generate(prompts, n_predict)
        finally:
            raw.close()
        with Engine(model, EngineParams(n_ctx=512, n_parallel=2, n_threads=1)) as engine:
            completions = [engine.generate(Prompt(p, ""), greedy(n_predict)) for p in prompts]
    assert seconds > 0
    assert outputs == [list(completion.tokens) for completion in completions]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux's /proc")
def test_other_work_and_thread_times() -> None:
    others = OtherWork()
    clock = ThreadClock(threading.current_thread().name)
    running, waiting = clock.read()
    deadline = time.perf_counter() + 0.05
    while time.perf_counter() < deadline:
        pass
    after = clock.read()
    assert 0.0 <= others.share() <= 1.0
    assert clock.is_known
    assert after[0] > running
    assert after[1] >= waiting


def test_thread_that_does_not_exist_has_no_times() -> None:
    clock = ThreadClock("no such thread")
    assert not clock.is_known
    assert clock.read() == (0.0, 0.0)
