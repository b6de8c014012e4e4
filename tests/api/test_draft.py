"""Engines with a draft model: what is refused, who owns what, and that outputs stay the same."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import pytest

from llamabox import (
    Engine,
    EngineParams,
    GenerationParams,
    InvalidRequest,
    Model,
    ModelLoadError,
    ModelParams,
    packaged_model,
)
from llamabox.api.draft import check_vocabulary
from tests.api.conftest import ENDLESS, SMALL
from tests.conftest import RandomModels
from tests.models import tensors
from tests.models.random_gguf import N_VOCAB, finish, llama_metadata, write_model, write_tensors

PROMPTS = ["hello", "one two three " * 5, "x", "the end is near: " * 12]
EAGER = GenerationParams(temperature=0, ignore_eos=True, n_predict=32, draft_p_min=0.0)


@contextlib.contextmanager
def eager_engine(
    model: Model | Path, params: EngineParams, draft: Model | Path
) -> Iterator[Engine]:
    """An engine that takes every draft for worth its cost."""
    with Engine(model, params, draft_model=draft) as engine:
        engine._scheduler.speculation.lengths.costs.fix(1e9)
        yield engine


def change(key: str, value: object) -> Callable[[gguf.GGUFWriter], None]:
    """Metadata of a model, changed before it is written."""

    def more(writer: gguf.GGUFWriter) -> None:
        writer.kv_data[0][f"tokenizer.ggml.{key}"].value = value

    return more


def rename_token(i: int, text: str) -> Callable[[gguf.GGUFWriter], None]:
    def more(writer: gguf.GGUFWriter) -> None:
        writer.kv_data[0]["tokenizer.ggml.tokens"].value[i] = text

    return more


def write_padded(path: Path, n_more: int) -> Path:
    """A model with more tokens behind those that the others have."""
    writer = gguf.GGUFWriter(path, "llama")
    llama_metadata(writer)
    data = writer.kv_data[0]
    data["tokenizer.ggml.tokens"].value += [f"<filler{i}>" for i in range(n_more)]
    data["tokenizer.ggml.token_type"].value += [gguf.TokenType.UNUSED] * n_more
    write_tensors(writer, tensors.llama(N_VOCAB + n_more), "f32", 0)
    return finish(writer, path)


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_outputs_are_those_without_a_draft_model(
    engine: Engine, tiny_model: Model, random_models: RandomModels, name: str
) -> None:
    expected = [engine.generate(prompt, ENDLESS).text for prompt in PROMPTS]
    with eager_engine(tiny_model, SMALL, random_models(name)) as drafted:
        completions = [drafted.generate(prompt, EAGER) for prompt in PROMPTS]
        plain = drafted.generate(PROMPTS[0], EAGER, n_draft_max=0)
        stats = drafted.stats()
    assert [completion.text for completion in completions] == expected
    assert stats.n_drafted > 0
    assert (plain.text, plain.n_drafted) == (expected[0], 0)
    assert stats.n_drafted == sum(completion.n_drafted for completion in completions)
    if name == "llama":
        assert stats.n_draft_accepted >= 0.9 * stats.n_drafted


def test_the_packaged_model_takes_fewer_forwards_when_it_drafts_for_itself() -> None:
    params = EngineParams(n_ctx=512, n_parallel=1, n_threads=1, flash_attention="off")
    with Model.load() as model, eager_engine(model, params, model) as engine:
        completion = engine.generate("Once upon a time", temperature=0, n_predict=100)
        assert completion.n_draft_accepted >= 0.9 * completion.n_drafted > 0
        n_forwards = engine.stats().n_steps
    assert n_forwards == completion.n_output - completion.n_draft_accepted


def test_a_model_drafts_for_several_engines_and_stays_open(
    tiny_model: Model, random_models: RandomModels
) -> None:
    with Model.load(random_models("qwen2")) as draft:
        with (
            Engine(tiny_model, SMALL, draft_model=draft) as one,
            Engine(tiny_model, SMALL, draft_model=draft) as other,
        ):
            streams = [
                engine.stream(prompt, EAGER) for prompt in PROMPTS for engine in (one, other)
            ]
            found = [stream.completion().text for stream in streams]
        assert found[::2] == found[1::2]
        assert draft.address


def test_an_engine_closes_while_it_drafts(tiny_model: Model, tiny_path: Path) -> None:
    for _ in range(5):
        engine = Engine(tiny_model, SMALL, draft_model=tiny_path)
        streams = [engine.stream(prompt, EAGER, n_predict=500) for prompt in PROMPTS]
        next(iter(streams[0]))
        engine.close()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (rename_token(300, "zz"), "token 300 is 'zz' against '"),
        (change("add_bos_token", True), "BOS is added to a text by only one of them"),
        (change("tokens", None), "."),
    ],
)
def test_another_vocabulary_is_refused(
    tiny_model: Model, tmp_path: Path, more: Callable[[gguf.GGUFWriter], None], reason: str
) -> None:
    path = tmp_path / "draft.gguf"
    if reason == ".":
        path, reason = packaged_model(), "2048 tokens against 512"
    else:
        write_model(path, more=more)
    with pytest.raises(ModelLoadError, match=re.escape(reason)) as error:
        Engine(tiny_model, SMALL, draft_model=path)
    assert str(path) in str(error.value)
    assert str(tiny_model.path) in str(error.value)
    assert tiny_model.address


def test_bos_of_another_number_is_refused_where_it_is_added(tmp_path: Path) -> None:
    def adds_bos(token: int) -> Callable[[gguf.GGUFWriter], None]:
        def more(writer: gguf.GGUFWriter) -> None:
            change("add_bos_token", True)(writer)
            change("bos_token_id", token)(writer)

        return more

    paths = [write_model(tmp_path / f"{i}.gguf", more=adds_bos(i)) for i in (508, 509)]
    with Model.load(paths[0]) as target, Model.load(paths[1]) as draft:
        check_vocabulary(target, target)
        with pytest.raises(ModelLoadError, match="BOS is token 509 against 508"):
            check_vocabulary(target, draft)


@pytest.mark.parametrize(("n_more", "fits"), [(8, True), (128, True), (129, False)])
def test_some_more_tokens_at_the_end_do_not_matter(
    engine: Engine, tiny_model: Model, tmp_path: Path, n_more: int, fits: bool
) -> None:
    path = write_padded(tmp_path / "padded.gguf", n_more)
    if not fits:
        with pytest.raises(ModelLoadError, match=f"{N_VOCAB + n_more} tokens against"):
            Engine(tiny_model, SMALL, draft_model=path)
        return
    with eager_engine(tiny_model, SMALL, path) as drafted:
        found = drafted.generate("hello", EAGER)
        assert found.text == engine.generate("hello", ENDLESS).text
        assert found.n_drafted > 0
    with eager_engine(path, SMALL, tiny_model) as drafted:
        assert drafted.generate("hello", EAGER).n_drafted > 0


@pytest.mark.parametrize("name", ["mamba", "jamba"])
def test_recurrent_models_neither_draft_nor_are_drafted_for(
    tiny_model: Model, random_models: RandomModels, name: str
) -> None:
    path = random_models(name)
    for model, draft in ((tiny_model, path), (path, tiny_model)):
        with pytest.raises(ModelLoadError, match="recurrent") as error:
            Engine(model, SMALL, draft_model=draft)
        assert str(path) in str(error.value)


def test_a_model_with_a_sliding_window_drafts(
    engine: Engine, tiny_model: Model, random_models: RandomModels
) -> None:
    with eager_engine(tiny_model, SMALL, random_models("gemma3")) as drafted:
        found = drafted.generate(PROMPTS[1], EAGER, n_predict=200)
        assert found.text == engine.generate(PROMPTS[1], ENDLESS, n_predict=200).text
        assert found.n_drafted > 0


def test_a_file_that_is_missing_is_refused_by_name(tiny_model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"draft\.gguf: no such file"):
        Engine(tiny_model, SMALL, draft_model=tmp_path / "draft.gguf")


def test_a_short_draft_context_only_ends_the_drafts(
    engine: Engine, tiny_model: Model, tiny_path: Path
) -> None:
    with eager_engine(tiny_model, SMALL.replace(n_ctx_draft=64), tiny_path) as drafted:
        found = drafted.generate("hello", EAGER, n_predict=400)
    assert found.text == engine.generate("hello", ENDLESS, n_predict=400).text
    assert 0 < found.n_drafted < 256


def test_devices_are_named_or_none(tiny_path: Path, tiny_model: Model) -> None:
    with Model.load(tiny_path, ModelParams(devices=())) as model:
        assert not model.uses_gpu
    with pytest.raises(InvalidRequest, match="'CPU' is no device to offload to"):
        Model.load(tiny_path, ModelParams(devices=("CPU",)))
    with pytest.raises(InvalidRequest, match="'nowhere' is no device"):
        Engine(
            tiny_model,
            SMALL,
            draft_model=tiny_path,
            draft_model_params=ModelParams(devices=("nowhere",)),
        )
    with pytest.raises(InvalidRequest, match="devices"):
        ModelParams(devices="CUDA0")  # type: ignore[arg-type]
