"""Pairs, tables, the README's summary, and the raw loop as an honest peer."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bench.busyness import OtherWork, ThreadClock
from bench.engine_streams import greedy
from bench.pairs import Comparison, Quantity, compare, compare_all
from bench.prompts import Seeds, shared_prefix_prompts, text_prompts, token_prompts
from bench.raw import RawLoop
from bench.report import (
    BEGIN,
    END,
    Figure,
    Plot,
    Result,
    render_page,
    render_result,
    render_summary,
    replace_summary,
)
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


def test_a_run_may_give_several_figures() -> None:
    quantities = [
        Quantity(case="time", unit="s", lower_is_better=True, target=2.0),
        Quantity(case="rate", unit="tok/s"),
    ]
    time_, rate = compare_all(
        quantities, ours=lambda: (1.0, 9.0), peer=lambda: (3.0, 3.0), peer_name="p", runs=2
    )
    assert (time_.case, time_.ours, time_.peers, time_.ratio) == (
        "time",
        (1.0,) * 2,
        (3.0,) * 2,
        3.0,
    )
    assert (time_.holds, rate.holds) == (True, None)
    assert (time_.ratio, rate.ratio) == (3.0, 3.0)


def test_targets_are_columns_where_there_are_any() -> None:
    comparison = Comparison(
        case="c", unit="s", peer_name="p", ours=(1.0,), peers=(1.0,), target=1.5
    )
    figures = (
        Figure(case="f", value=4.0, unit="", at_most=5.0),
        Figure(case="g", value=4.0, unit="of 5", at_least=5.0),
        Figure(case="h", value=4.0, unit=""),
    )
    page = render_result(
        Result(title="T", about="A", comparisons=(comparison,), figures=figures, seconds=61.2)
    )
    assert "| c | 1 s | 1 s (p) | 1.00 | 1.00 - 1.00 | 1 | ≥ 1.50 | no |" in page
    assert "| f | 4 | ≤ 5 | yes |" in page
    assert "| g | 4 of 5 | ≥ 5 | no |" in page
    assert "| h | 4 |  |  |" in page
    assert "Took 61 s." in page


def test_plots_stand_beside_the_page() -> None:
    plot = Plot(name="x.png", caption="An x", draw=lambda path: None)
    result = Result(title="T", about="A", plots=(plot,))
    machine = [("CPU", "x"), ("llama-cpp-python", "1"), ("date", "today")]
    assert "![An x](x.png)" in render_page(machine, [result])
    summary = render_summary(machine, [result])
    assert "[An x](bench/x.png)" in summary
    assert "median of the pairs' ratios" in summary


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


def test_prompts_may_share_their_beginning() -> None:
    prompts = [prompt.split() for prompt in shared_prefix_prompts(4, 30, 5, seed=3)]
    assert all(len(words) == 35 and words[:30] == prompts[0][:30] for words in prompts)
    assert len({words[30] for words in prompts}) == 4
    assert shared_prefix_prompts(1, 30, 5, seed=4)[0].split()[:30] != prompts[0][:30]


def test_sides_get_the_same_seeds() -> None:
    seeds = Seeds()
    assert [seeds.next("a"), seeds.next("a"), seeds.next("b"), seeds.next("b")] == [0, 1, 0, 1]


@pytest.mark.parametrize("kv_unified", [True, False])
def test_raw_loop_continues_prompts_again(kv_unified: bool) -> None:
    with Model.load() as model:
        prompts = token_prompts(3, 20, model.n_vocab, seed=1)
        raw = RawLoop(
            model,
            n_sequences=3,
            n_ctx=768,
            n_batch=32,
            n_threads=1,
            kv_unified=kv_unified,
            flash_attention=False,
        )
        try:
            outputs, _ = raw.generate(prompts, 8)
            again, seconds = raw.decode(8)
        finally:
            raw.close()
    assert outputs == again
    assert seconds > 0


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
