"""Models with random weights: their shapes, the same bytes each time, text that can be read."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from bench import models
from bench.models import PLAIN_WORD, SHAPES, Shape, model_path, write_model
from llamabox import Engine, EngineParams, packaged_model

TINY = Shape(n_layers=2, n_embd=64, n_ff=96, n_heads=2, n_kv_heads=1, seed=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_model(path, TINY, packaged_model())
    return path


def test_shape_and_types(tiny: Path) -> None:
    reader = gguf.GGUFReader(tiny)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    n_vocab = len(reader.fields["tokenizer.ggml.tokens"].contents())
    assert list(tensors) == [name for name, _ in TINY.tensors(n_vocab)]
    assert "output.weight" not in tensors
    assert list(tensors["blk.1.attn_k.weight"].shape) == [64, 32]
    assert tensors["blk.1.ffn_down.weight"].tensor_type == gguf.GGMLQuantizationType.Q8_0
    assert tensors["blk.1.attn_q.bias"].tensor_type == gguf.GGMLQuantizationType.F32
    assert reader.fields["qwen2.context_length"].contents() == 32_768


def test_tokenizer_is_the_vocabularys(tiny: Path) -> None:
    mine, source = gguf.GGUFReader(tiny), gguf.GGUFReader(packaged_model())
    names = [name for name in source.fields if name.startswith("tokenizer.")]
    assert names
    for name in names:
        assert mine.fields[name].contents() == source.fields[name].contents()
        assert mine.fields[name].types == source.fields[name].types


def test_the_same_seed_writes_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    again = tmp_path / tiny.name
    write_model(again, TINY, packaged_model())
    assert again.read_bytes() == tiny.read_bytes()
    assert list(tmp_path.iterdir()) == [again]


def test_it_generates_plain_words(tiny: Path) -> None:
    with Engine(tiny, EngineParams(n_ctx=256, n_parallel=1, n_threads=1)) as engine:
        text = engine.generate("One day", n_predict=24, temperature=0, ignore_eos=True).text
    assert len(text) >= 24
    assert PLAIN_WORD.fullmatch(text.replace(" ", ""))


def test_real_shapes() -> None:
    n_vocab = 151_936

    def n_values(shape: Shape) -> int:
        return sum(int(np.prod(size)) for _, size in shape.tensors(n_vocab))

    assert n_values(SHAPES["qwen2.5-0.5b"]) == 494_032_768
    assert 40e6 < n_values(SHAPES["50m"]) < 50e6


def test_a_model_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def write(path: Path, shape: Shape, vocabulary: Path) -> None:
        written.append(path)
        path.write_bytes(b"GGUF")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "write_model", write)
    monkeypatch.setattr(models, "sources", lambda: tmp_path)
    assert model_path("50m") == model_path("50m") == written[0]
    assert len(written) == 1
    assert tmp_path in written[0].parents
