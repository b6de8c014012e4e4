"""Context shift of an engine: what is kept, where it ends, and models that cannot be moved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from llamabox import Completion, Engine, EngineParams, FinishReason, GenerationParams
from tests.conftest import RandomModels
from tests.models.random_gguf import N_CTX_TRAIN, write_model

STOPPING = EngineParams(
    n_ctx=128, n_parallel=4, n_threads=1, kv_layout="unified", flash_attention="off"
)
SHIFTING = STOPPING.replace(context_shift=True)
ENDLESS = GenerationParams(temperature=0, ignore_eos=True)
PROMPT = list(range(40, 80))


def run(path: Path, prompt: list[int] = PROMPT, n_predict: int = 300, **options: int) -> Completion:
    with Engine(path, SHIFTING) as engine:
        return engine.generate(prompt, ENDLESS, n_predict=n_predict, **options)


def test_without_it_a_full_context_ends_the_output(tiny_path: Path) -> None:
    with Engine(tiny_path, STOPPING) as engine:
        full = engine.generate(PROMPT, ENDLESS, n_keep=5, n_discard=9)
        short = engine.generate(PROMPT, ENDLESS, n_predict=5)
        assert engine.stats().n_shifts == 0
    assert (full.finish_reason, full.n_output, full.truncated) == (FinishReason.LENGTH, 88, True)
    assert not short.truncated


def test_with_it_the_output_goes_on(tiny_path: Path) -> None:
    with Engine(tiny_path, SHIFTING) as engine:
        whole = engine.generate(PROMPT, ENDLESS, n_predict=300)
        short = engine.generate(PROMPT, ENDLESS, n_predict=80)
        assert engine.stats().n_shifts == (40 + 300 - 128) // 63 + 1
    assert (whole.finish_reason, whole.truncated) == (FinishReason.LENGTH, True)
    assert (whole.n_prompt, whole.n_output, len(whole.tokens)) == (40, 300, 300)
    assert whole.tokens[:80] == short.tokens
    assert not short.truncated


def test_no_limit_is_the_length_that_the_model_was_trained_on(tiny_path: Path) -> None:
    assert run(tiny_path, n_predict=-1).n_output == N_CTX_TRAIN


def test_n_keep_minus_1_is_the_whole_prompt(tiny_path: Path) -> None:
    whole = run(tiny_path, n_keep=-1)
    assert whole.tokens == run(tiny_path, n_keep=40).tokens
    assert whole.tokens != run(tiny_path, n_keep=39).tokens
    assert run(tiny_path, n_keep=2**31 - 1).n_output == 300


def test_a_bos_token_is_kept_beside_n_keep(tiny_path: Path, tmp_path: Path) -> None:
    def add_bos(writer: gguf.GGUFWriter) -> None:
        writer.add_add_bos_token(True)

    with_bos = write_model(tmp_path / "bos.gguf", more=add_bos)
    assert run(with_bos, n_keep=4).tokens == run(tiny_path, n_keep=5).tokens
    assert run(with_bos, n_keep=-1).tokens == run(tiny_path, n_keep=41).tokens


def test_n_discard_is_how_much_goes_at_a_time(tiny_path: Path) -> None:
    with Engine(tiny_path, SHIFTING) as engine:
        engine.generate(PROMPT, ENDLESS, n_predict=128 - 40 + 21, n_discard=10)
        assert engine.stats().n_shifts == 3


def yarn(writer: gguf.GGUFWriter) -> None:
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(4.0)
    writer.add_rope_scaling_orig_ctx_len(1024)


def attention_factor(writer: gguf.GGUFWriter) -> None:
    writer.add_rope_scaling_attn_factors(1.19)


@pytest.mark.parametrize("kv_layout", ["unified", "partitioned"])
@pytest.mark.parametrize("more", [yarn, attention_factor])
def test_where_llama_cpp_spoils_other_cells_nothing_is_moved(
    tmp_path: Path, more: Callable[[gguf.GGUFWriter], None], kv_layout: str
) -> None:
    """What a shift has kept is what a request of its own computes."""
    path = write_model(tmp_path / "scaled.gguf", more=more)
    params = SHIFTING.replace(kv_layout=kv_layout)
    with Engine(path, params) as engine:
        cold = engine.generate([*PROMPT, 3], ENDLESS, n_predict=40)
    with Engine(path, params) as engine:
        assert engine.generate(PROMPT, ENDLESS, n_predict=300, n_keep=-1).truncated
        warm = engine.generate([*PROMPT, 3], ENDLESS, n_predict=40)
    assert (cold.n_cached, warm.n_cached) == (0, 40)
    assert cold.tokens == warm.tokens


@pytest.mark.parametrize("kind", ["mamba", "gemma3", "qwen2"])
def test_other_memories_shift_too(random_models: RandomModels, kind: str) -> None:
    assert run(random_models(kind)).n_output == 300


LISTENING = """
import llama_cpp
heard = []
listener = llama_cpp.llama_log_callback(lambda level, text, _: heard.append(level))
llama_cpp.llama_log_set(listener, None)
"""
SHIFTING_PROGRAM = """
import sys
from llamabox import Engine, EngineParams
params = EngineParams(n_ctx=64, n_threads=1, context_shift=True)
with Engine(sys.argv[1], params) as engine:
    engine.generate([1, 2, 3], n_predict=300, ignore_eos=True)
    assert engine.stats().n_shifts > 3
"""
FAILING_PROGRAM = """
assert heard == [], heard
llama_cpp.llama_model_load_from_file(b"/nowhere", llama_cpp.llama_model_default_params())
assert 4 in heard, heard
"""


@pytest.mark.parametrize(
    "program", [SHIFTING_PROGRAM, LISTENING + SHIFTING_PROGRAM + FAILING_PROGRAM]
)
def test_a_shift_logs_nothing_and_others_are_heard(tiny_path: Path, program: str) -> None:
    """llama.cpp says a dozen lines at debug level, which llama-cpp-python prints."""
    command = [sys.executable, "-c", program, str(tiny_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
