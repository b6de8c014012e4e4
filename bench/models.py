"""GGUF files of real shapes with random weights: what a forward costs does not depend on values.

    python -m bench.models      write all that are missing, print their paths

They are qwen2 models in Q8_0 with the vocabulary of 151,936 tokens that llama.cpp's sources have.
The files stay in the cache, outside the clone, and are the same wherever they are written.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from .cache import cache_dir, locked
from .peers.build_llama_server import sources

RECIPE = "1"
"""To be changed with anything that changes the files."""
VOCAB = "vendor/llama.cpp/models/ggml-vocab-qwen2.gguf"
N_CTX = 32_768
ROPE_BASE = 1e6
RMS_EPSILON = 1e-6
EMBEDDING_SCALE = 0.1
ODD_SCALE = 0.05
"""Of embeddings of tokens that are not plain words, relative to those that are."""
PLAIN_WORD = re.compile("[Ġ▁]?[A-Za-z]+")
N_ROWS_AT_ONCE = 8_192

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a file is made of.

    :param n_embd: width; a multiple of 32, like `n_ff` and a head's width, as Q8_0 wants.
    :param seed: of the weights.
    """

    n_layers: int
    n_embd: int
    n_ff: int
    n_heads: int
    n_kv_heads: int
    seed: int

    @property
    def n_kv(self) -> int:
        """Width of a layer's keys, and of its values."""
        return self.n_embd // self.n_heads * self.n_kv_heads

    def tensors(self, n_vocab: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """(name, numpy shape) of each tensor; output and input embeddings are one."""
        width = self.n_embd
        yield "token_embd.weight", (n_vocab, width)
        yield "output_norm.weight", (width,)
        for i in range(self.n_layers):
            layer = {
                "attn_norm.weight": (width,),
                "attn_q.weight": (width, width),
                "attn_q.bias": (width,),
                "attn_k.weight": (self.n_kv, width),
                "attn_k.bias": (self.n_kv,),
                "attn_v.weight": (self.n_kv, width),
                "attn_v.bias": (self.n_kv,),
                "attn_output.weight": (width, width),
                "ffn_norm.weight": (width,),
                "ffn_gate.weight": (self.n_ff, width),
                "ffn_up.weight": (self.n_ff, width),
                "ffn_down.weight": (width, self.n_ff),
            }
            yield from ((f"blk.{i}.{name}", shape) for name, shape in layer.items())


SHAPES = {
    "50m": Shape(n_layers=4, n_embd=256, n_ff=1024, n_heads=4, n_kv_heads=2, seed=50),
    "qwen2.5-0.5b": Shape(n_layers=24, n_embd=896, n_ff=4864, n_heads=14, n_kv_heads=2, seed=500),
}
"""By the stem of their files: one for much load, and that of Qwen2.5-0.5B."""


def model_path(name: str) -> Path:
    """The file of `SHAPES[name]`, written when it is missing.

    :raises BuildError: the vocabulary is not there and cannot be downloaded.
    """
    path = cache_dir("bench-models") / RECIPE / f"{name}.gguf"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                print(f"writing {path}", file=sys.stderr)
                write_model(path, SHAPES[name], sources() / VOCAB)
    return path


def write_model(path: Path, shape: Shape, vocabulary: Path) -> None:
    """Write a file, under another name until it is whole.

    Embeddings of plain words are the largest, so each greedy token is a word, and a piece of
    text: gaps between events are then gaps between tokens.

    :param vocabulary: GGUF file whose tokenizer is copied.
    """
    reader = gguf.GGUFReader(vocabulary)
    scales = _embedding_scales(reader)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as temporary:
        target = Path(temporary) / path.name
        writer = gguf.GGUFWriter(target, "qwen2")
        _add_metadata(writer, shape, path.stem)
        _copy_tokenizer(reader, writer)
        tensors = list(shape.tensors(len(scales)))
        for name, size in tensors:
            _add_info(writer, name, size)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for i, (name, size) in enumerate(tensors):
            rng = np.random.default_rng((shape.seed, i))
            writer.write_tensor_data(_values(name, size, rng, scales))
        writer.close()
        target.rename(path)


def _add_metadata(writer: gguf.GGUFWriter, shape: Shape, name: str) -> None:
    writer.add_name(name)
    writer.add_context_length(N_CTX)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layers)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _copy_tokenizer(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in reader.fields.items():
        if name.startswith("tokenizer."):
            element = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], element)


def _embedding_scales(reader: gguf.GGUFReader) -> Floats:
    """The standard deviation of each token's embedding, float32 [n_vocab]."""
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    plain = np.array([PLAIN_WORD.fullmatch(token) is not None for token in tokens])
    return (EMBEDDING_SCALE * np.where(plain, 1.0, ODD_SCALE)).astype(np.float32)


def _add_info(writer: gguf.GGUFWriter, name: str, size: tuple[int, ...]) -> None:
    """Announce a tensor: matrices in Q8_0, the rest in F32."""
    if len(size) == 1:
        writer.add_tensor_info(name, size, np.dtype(np.float32), 4 * size[0])
        return
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    n_bytes = gguf.quants.quant_shape_to_byte_shape(size, q8_0)
    total = int(np.prod(n_bytes))
    writer.add_tensor_info(name, n_bytes, np.dtype(np.uint8), total, raw_dtype=q8_0)


def _values(
    name: str, size: tuple[int, ...], rng: np.random.Generator, scales: Floats
) -> npt.NDArray[np.generic]:
    """A tensor as it is stored. Every block adds about as much as it is given: nothing overflows.

    :param scales: of the embeddings' rows.
    """
    if name.endswith("norm.weight"):
        return np.ones(size, np.float32)
    if len(size) == 1:
        small: Floats = rng.standard_normal(size, np.float32) * np.float32(0.1)
        return small
    blocks = []
    for start in range(0, size[0], N_ROWS_AT_ONCE):
        n_rows = min(N_ROWS_AT_ONCE, size[0] - start)
        rows = rng.standard_normal((n_rows, size[1]), np.float32)
        if name == "token_embd.weight":
            rows *= scales[start : start + n_rows, None]
        else:
            rows /= np.float32(size[1] ** 0.5)
        blocks.append(gguf.quants.quantize(rows, gguf.GGMLQuantizationType.Q8_0))
    return np.concatenate(blocks)


if __name__ == "__main__":
    for known in SHAPES:
        print(model_path(known))
