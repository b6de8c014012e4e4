"""LoRA adapters: of an engine, of a request, and of many requests at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamabox import Engine, GenerationParams, InvalidRequest, Model, ModelLoadError
from tests.api.conftest import SMALL
from tests.conftest import RandomModels
from tests.models.lora import write_adapter

GREEDY = GenerationParams(temperature=0, ignore_eos=True, n_predict=24)
EXACT = SMALL.replace(cache_type_k="f32", cache_type_v="f32")
SETS = ((), ((0, 1.0),), ((1, 1.0),), ((0, 0.5), (1, 0.5)))


@pytest.fixture(scope="module", name="files")
def adapter_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("adapters")
    return tuple(str(write_adapter(folder / f"{i}.gguf", i)) for i in (1, 2))  # type: ignore[return-value]


@pytest.fixture(scope="module", name="engine")
def adapted_engine(tiny_model: Model, files: tuple[str, str]) -> Iterator[Engine]:
    params = EXACT.replace(lora=tuple((file, 1.0) for file in files), lora_init_without_apply=True)
    with Engine(tiny_model, params) as engine:
        yield engine


def said(engine: Engine, lora: tuple[tuple[int, float], ...] | None, prompt: str = "hello") -> str:
    return engine.generate(prompt, GREEDY, lora=lora).text


def test_each_set_says_something_else(engine: Engine) -> None:
    texts = [said(engine, lora) for lora in SETS]
    assert len(set(texts)) == len(SETS)
    assert [said(engine, lora) for lora in SETS] == texts


def test_without_adapters_it_is_the_model_alone(engine: Engine, tiny_model: Model) -> None:
    with Engine(tiny_model, EXACT) as plain:
        expected = plain.generate("hello", GREEDY).text
    assert said(engine, ()) == said(engine, None) == said(engine, ((0, 0.0),)) == expected


def test_the_order_in_which_they_are_named_does_not_matter(engine: Engine) -> None:
    assert said(engine, ((1, 0.5), (0, 0.5))) == said(engine, SETS[3])


def test_prefixes_are_shared_within_a_set_alone(engine: Engine) -> None:
    prompt = "a prompt of its own for this test " * 4
    first = engine.generate(prompt, GREEDY, lora=SETS[1])
    other = engine.generate(prompt, GREEDY, lora=SETS[2])
    again = engine.generate(prompt, GREEDY, lora=SETS[1])
    assert (first.n_cached, other.n_cached) == (0, 0)
    assert again.n_cached == again.n_prompt - 1
    assert again.text == first.text != other.text


def test_the_engines_scales_are_those_of_requests_without_any(engine: Engine) -> None:
    try:
        engine.adapters.set_scales({0: 1.0})
        assert [adapter.scale for adapter in engine.adapters] == [1.0, 0.0]
        assert said(engine, None) == said(engine, SETS[1])
        assert said(engine, ()) != said(engine, None)
        engine.adapters.set_scales({1: 1.0})
        assert said(engine, None) == said(engine, SETS[2])
    finally:
        engine.adapters.set_scales({})
    assert said(engine, None) == said(engine, ())


def test_they_apply_at_the_start_with_their_scales(
    tiny_model: Model, engine: Engine, files: tuple[str, str]
) -> None:
    with Engine(tiny_model, EXACT.replace(lora=((files[0], 0.5), (files[1], 0.5)))) as applied:
        assert applied.generate("hello", GREEDY).text == said(engine, SETS[3])
        assert [(a.id, a.path, a.scale) for a in applied.adapters] == [
            (0, files[0], 0.5),
            (1, files[1], 0.5),
        ]


@pytest.mark.parametrize("layout", ["unified", "partitioned"])
def test_a_mixed_load_gives_each_what_it_gets_alone(
    tiny_model: Model, files: tuple[str, str], layout: str
) -> None:
    rng = random.Random(7)
    params = EXACT.replace(
        lora=tuple((file, 1.0) for file in files), kv_layout=layout, target_itl=0.002
    )
    asked = [
        (f"prompt {i % 5} " * rng.randint(1, 40), SETS[i % len(SETS)], rng.randint(1, 40))
        for i in range(32)
    ]
    with Engine(tiny_model, params) as engine:
        alone = [engine.generate(p, GREEDY, lora=lora, n_predict=n).tokens for p, lora, n in asked]
    with Engine(tiny_model, params) as engine:
        streams = [engine.stream(p, GREEDY, lora=lora, n_predict=n) for p, lora, n in asked]
        together = [stream.completion().tokens for stream in streams]
    assert together == alone


def test_no_set_starves(engine: Engine) -> None:
    """An endless request of one set, and short ones of another, all of which end meanwhile."""
    params = engine.params.replace(context_shift=True)
    with (
        Engine(engine.model, params) as shifting,
        shifting.stream("x", GREEDY, lora=SETS[1], n_predict=50_000) as endless,
    ):
        next(endless)
        for i in range(4):
            assert shifting.generate(f"y{i}", GREEDY, lora=SETS[2], n_predict=4).n_output == 4
        assert not endless.request.finish


@pytest.mark.parametrize("lora", [((2, 1.0),), ((0, 1.0), (9, 0.0))])
def test_an_adapter_that_is_not_there_is_refused(
    engine: Engine, lora: tuple[tuple[int, float], ...]
) -> None:
    with pytest.raises(InvalidRequest, match="no adapter") as caught:
        said(engine, lora)
    assert caught.value.param == "lora"
    with pytest.raises(InvalidRequest, match="no adapter"):
        engine.adapters.set_scales(dict(lora))


def assert_refused(model: Model, path: Path, *words: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        Engine(model, SMALL.replace(lora=((str(path), 1.0),)))
    assert all(word in str(caught.value) for word in (path.name, *words))


def test_a_file_that_is_no_adapter_is_refused(
    tiny_model: Model, tiny_path: Path, tmp_path: Path
) -> None:
    assert_refused(tiny_model, tmp_path / "none.gguf", "no such file")
    assert_refused(tiny_model, tiny_path, "not a LoRA adapter")
    text = tmp_path / "text.gguf"
    text.write_text("something else")
    assert_refused(tiny_model, text, "not a GGUF file")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_truncated_adapter_is_refused(
    tiny_model: Model, files: tuple[str, str], tmp_path: Path, share: float
) -> None:
    data = Path(files[0]).read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(data[: int(len(data) * share)])
    assert_refused(tiny_model, cut)


def test_an_adapter_for_another_model_is_refused(
    tiny_model: Model, random_models: RandomModels, tmp_path: Path
) -> None:
    assert_refused(tiny_model, write_adapter(tmp_path / "a.gguf", architecture="qwen2"), "arch")
    assert_refused(tiny_model, write_adapter(tmp_path / "b.gguf", n_embd=32), "fit")
    assert_refused(tiny_model, write_adapter(tmp_path / "c.gguf", kind="other"))
    with Model.load(random_models("qwen2")) as other:
        assert_refused(other, write_adapter(tmp_path / "d.gguf"), "arch")


def test_a_refused_adapter_leaves_the_model_usable(tiny_model: Model, tmp_path: Path) -> None:
    assert_refused(tiny_model, write_adapter(tmp_path / "b.gguf", n_embd=32))
    with Engine(tiny_model, SMALL) as engine:
        assert engine.generate("hello", GREEDY).n_output == 24
