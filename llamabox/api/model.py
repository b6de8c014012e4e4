"""A loaded model: weights, vocabulary, metadata."""

from __future__ import annotations

import ctypes
import importlib.resources
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import llama_cpp

from .._core.vocab import Vocab
from ..errors import InvalidRequest, ModelLoadError
from ..params import KvValue, ModelParams
from ..params.replacing import given
from .gguf import check_generates, read_head
from .library import LIBRARY, captured_errors
from .loading import Progress, model_params
from .split import first_part
from .system import has_gpu
from .text import Tokenizer

TEMPLATE_KEY = "tokenizer.chat_template"


def packaged_model() -> Path:
    """The small chat model inside the package."""
    return Path(str(importlib.resources.files("llamabox").joinpath("models/pocket.gguf")))


class Weights:
    """A `llama_model` in memory, freed when it is closed or nothing refers to it any more.

    :param address: of the `llama_model`.
    :param n_gpu_layers: how many layers a GPU was to have; -1 for all.
    :param owner: who frees it instead; kept alive.
    """

    def __init__(self, address: int, n_gpu_layers: int, owner: Any = None) -> None:
        self.address = address
        self.n_gpu_layers = n_gpu_layers
        self._owner = owner

    def close(self) -> None:
        if self.address and self._owner is None:
            llama_cpp.llama_model_free(self.address)
        self.address = 0
        self._owner = None

    def __del__(self) -> None:
        self.close()


class Model:
    """A model that engines share. Made by `load` or `from_llama`; a context manager.

    :ivar path: of the GGUF file.
    :ivar name: `general.name`, or the file's stem.
    :ivar metadata: the file's scalar metadata as strings, with what replaces them.
    :ivar vocab: the bytes of its tokens; control tokens have none.
    :ivar special_vocab: the same with the text of control tokens.
    :ivar tokenizer: its `Tokenizer`.
    :ivar chat_template: Jinja source, or None.
    :ivar named_templates: its other chat templates by name, such as `tool_use`.
    """

    def __init__(
        self, weights: Weights, *, path: Path, kv_overrides: Iterable[tuple[str, KvValue]] = ()
    ) -> None:
        address = weights.address
        self.weights = weights
        self.path = path
        vocab_address = llama_cpp.llama_model_get_vocab(address)
        self.vocab = Vocab(LIBRARY, vocab_address, owner=weights)
        self.special_vocab = Vocab(LIBRARY, vocab_address, owner=weights, special=True)
        self.metadata = _metadata(address) | {key: _shown(v) for key, v in kv_overrides}
        is_plain = self.metadata.get("tokenizer.ggml.model") == "gpt2"
        pre = self.metadata.get("tokenizer.ggml.pre", "") if is_plain else ""
        self.tokenizer = Tokenizer(llama_cpp, vocab_address, self.vocab, pre=pre)
        self.name = self.metadata.get("general.name") or path.stem
        self.chat_template = self.metadata.get(TEMPLATE_KEY)
        self.named_templates = {
            key.removeprefix(f"{TEMPLATE_KEY}."): source
            for key, source in self.metadata.items()
            if key.startswith(f"{TEMPLATE_KEY}.")
        }
        self.vocab_type: int = llama_cpp.llama_vocab_type(vocab_address)
        self.n_vocab = self.vocab.n_tokens
        self.n_ctx_train: int = llama_cpp.llama_model_n_ctx_train(address)
        self.n_embd: int = llama_cpp.llama_model_n_embd(address)
        self.n_params: int = llama_cpp.llama_model_n_params(address)
        self.size: int = llama_cpp.llama_model_size(address)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        params: ModelParams | None = None,
        *,
        progress: Progress | None = None,
    ) -> Model:
        """Load a GGUF file; blocks.

        :param path: the file, any one if it is split; None takes the packaged model.
        :param progress: told the loaded share, on the calling thread.
        :raises ModelLoadError: the file is missing, damaged, of another kind, or refused by
            llama.cpp; the message says which.
        :raises InvalidRequest: `path` is none, or there is no device or buffer type of a name in
            `params`.
        """
        params = given(params, ModelParams)
        file = first_part(_path(path)) if path is not None else packaged_model()
        check_generates(file, read_head(file))
        llama_cpp.llama_backend_init()
        c_params, kept = model_params(params, progress)
        with captured_errors() as errors:
            address = llama_cpp.llama_model_load_from_file(os.fsencode(file), c_params)
        del kept
        if not address:
            raise ModelLoadError(f"{file}: {'; '.join(errors) or 'llama.cpp cannot load it'}")
        weights = Weights(address, params.n_gpu_layers if params.devices != () else 0)
        if llama_cpp.llama_model_has_encoder(address):
            weights.close()
            raise ModelLoadError(f"{file}: models with an encoder do not generate here")
        return cls(weights, path=file, kv_overrides=params.kv_overrides)

    @classmethod
    def from_llama(cls, llama: Any) -> Model:
        """Take the model of an existing `llama_cpp.Llama`, which goes on owning it.

        Its context is not touched: an engine makes one of its own.

        :param llama: a `llama_cpp.Llama`; kept alive.
        :raises ModelLoadError: it is no `Llama`, or it is closed.
        """
        address = getattr(getattr(llama, "_model", None), "model", None)
        if not address:
            raise ModelLoadError(f"{llama!r} holds no loaded model")
        weights = Weights(address, llama.model_params.n_gpu_layers, owner=llama)
        return cls(weights, path=Path(llama.model_path))

    @property
    def description(self) -> str:
        """Architecture, size and quantization, as llama.cpp words them."""
        buffer = ctypes.create_string_buffer(128)
        llama_cpp.llama_model_desc(self.address, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def can_be_cut(self) -> bool:
        """Whether its memory is cells, which stand for one token each, and no states."""
        address = self.address
        return not (
            llama_cpp.llama_model_is_recurrent(address) or llama_cpp.llama_model_is_hybrid(address)
        )

    @property
    def uses_gpu(self) -> bool:
        """Whether a GPU computes the logits: it has every layer, the output among them."""
        n, n_layer = self.weights.n_gpu_layers, llama_cpp.llama_model_n_layer(self.address)
        return (n < 0 or n > n_layer) and llama_cpp.llama_supports_gpu_offload() and has_gpu()

    @property
    def address(self) -> int:
        """Of the `llama_model`; 0 once it is closed."""
        return self.weights.address

    def close(self) -> None:
        """Free the weights, unless another object owns them. No engine may use them any more."""
        self.weights.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _path(path: Any) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise InvalidRequest(f"path: {path!r} is no path", param="path") from None


def _metadata(address: int) -> dict[str, str]:
    def text(read: Callable[..., int], i: int) -> str:
        size = read(address, i, None, 0) + 1
        buffer = ctypes.create_string_buffer(size)
        read(address, i, buffer, size)
        return buffer.value.decode("utf-8", "replace")

    return {
        text(llama_cpp.llama_model_meta_key_by_index, i): text(
            llama_cpp.llama_model_meta_val_str_by_index, i
        )
        for i in range(llama_cpp.llama_model_meta_count(address))
    }


def _shown(value: KvValue) -> str:
    """As llama.cpp shows values of metadata."""
    return str(value).lower() if isinstance(value, bool) else str(value)
