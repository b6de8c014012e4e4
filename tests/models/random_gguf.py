"""Tiny GGUF models with random weights: they mean nothing, and compute like real ones.

The vocabulary holds every byte, so any text can be said and any output is possible, unfinished
UTF-8 included. A seed and an architecture always give the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np

from tests.models import tensors
from tests.models.tensors import N_EMBD, N_HEAD, N_HEAD_KV, N_STATE, Shapes

N_CTX_TRAIN = 4096
N_VOCAB = 512
BOS, EOS, IM_START, IM_END = range(N_VOCAB - 4, N_VOCAB)
CONTROL_TEXTS = ("<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")
PAIRED = "aeiounrstlhdmcgpfyw "
"""Letters whose pairs are tokens of their own."""


def write_model(
    path: Path,
    architecture: str = "llama",
    *,
    dtype: str = "f32",
    seed: int = 0,
    template: str | None = None,
    more: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
) -> Path:
    """Write a model of one of `ARCHITECTURES`.

    :param dtype: of the matrices, f32 or f16.
    :param template: chat template; None leaves it out.
    :param more: adds metadata.
    """
    metadata, shapes = ARCHITECTURES[architecture]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"random {architecture}")
    metadata(writer)
    if template is not None:
        writer.add_chat_template(template)
    more(writer)
    write_tensors(writer, shapes(N_VOCAB), dtype, seed)
    return finish(writer, path)


def write_vocabulary(path: Path) -> Path:
    """Write a llama model without weights."""
    writer = gguf.GGUFWriter(path, "llama")
    llama_metadata(writer)
    return finish(writer, path)


def write_tensors(writer: gguf.GGUFWriter, shapes: Shapes, dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name, shape in shapes.items():
        values = tensors.random_values(rng, name, shape)
        is_matrix = len(shape) == 2 and name.endswith("weight") and "conv1d" not in name
        writer.add_tensor(name, values.astype(np.float16 if dtype == "f16" and is_matrix else "f4"))


def finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_byte_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Byte-level BPE (GPT-2): 256 bytes, pairs of letters, fillers, control tokens."""
    alphabet = [byte_character(byte) for byte in range(256)]
    pairs = [(a, b) for a in PAIRED for b in PAIRED if b != " "]
    merges = [(byte_character(ord(a)), byte_character(ord(b))) for a, b in pairs]
    merges = merges[: N_VOCAB - 256 - len(CONTROL_TEXTS)]
    tokens = [*alphabet, *(a + b for a, b in merges), *CONTROL_TEXTS]
    assert len(tokens) == N_VOCAB == len(set(tokens))
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * (N_VOCAB - 4) + [control] * 4)
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(False)


def byte_character(byte: int) -> str:
    """The printable character that stands for a byte in GPT-2's vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in printable:
        return chr(byte)
    return chr(256 + [b for b in range(256) if b not in printable].index(byte))


def attention_metadata(writer: gguf.GGUFWriter, n_head_kv: int | list[int] = N_HEAD_KV) -> None:
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(tensors.N_LAYER)
    writer.add_feed_forward_length(tensors.N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(n_head_kv)


def llama_metadata(writer: gguf.GGUFWriter, *, vocabulary: bool = True) -> None:
    attention_metadata(writer)
    writer.add_layer_norm_rms_eps(1e-5)
    if vocabulary:
        add_byte_vocabulary(writer)


def gemma3_metadata(writer: gguf.GGUFWriter) -> None:
    llama_metadata(writer)
    writer.add_sliding_window(tensors.SLIDING_WINDOW)
    writer.add_sliding_window_pattern(2)
    writer.add_key_length(N_EMBD // N_HEAD)
    writer.add_value_length(N_EMBD // N_HEAD)


def olmoe_metadata(writer: gguf.GGUFWriter) -> None:
    attention_metadata(writer, N_HEAD)
    writer.add_expert_count(tensors.N_EXPERT)
    writer.add_expert_used_count(tensors.N_EXPERT_USED)
    writer.add_layer_norm_rms_eps(1e-5)
    add_byte_vocabulary(writer)


def mamba_metadata(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(tensors.N_LAYER)
    writer.add_layer_norm_rms_eps(1e-5)
    ssm_metadata(writer)
    add_byte_vocabulary(writer)


def ssm_metadata(writer: gguf.GGUFWriter) -> None:
    writer.add_ssm_conv_kernel(tensors.N_CONV)
    writer.add_ssm_inner_size(2 * N_EMBD)
    writer.add_ssm_state_size(N_STATE)
    writer.add_ssm_time_step_rank(tensors.DT_RANK)


def jamba_metadata(writer: gguf.GGUFWriter) -> None:
    attention_metadata(writer, [0, N_HEAD_KV])
    writer.add_layer_norm_rms_eps(1e-5)
    ssm_metadata(writer)
    add_byte_vocabulary(writer)


def rwkv7_metadata(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(tensors.N_FF)
    writer.add_head_count(0)
    writer.add_block_count(tensors.N_LAYER)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(tensors.WKV_HEAD)
    writer.add_decay_lora_rank(tensors.WKV_RANK)
    writer.add_iclr_lora_rank(tensors.WKV_RANK)
    writer.add_value_residual_mix_lora_rank(tensors.WKV_RANK)
    writer.add_gate_lora_rank(tensors.WKV_RANK)
    add_byte_vocabulary(writer)


def bert_metadata(writer: gguf.GGUFWriter) -> None:
    attention_metadata(writer)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(2)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    writer.add_tokenizer_model("bert")
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * (N_VOCAB - 5))
    writer.add_token_list([*special, *(f"\u2581w{i}" for i in range(N_VOCAB - len(special)))])
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)


ARCHITECTURES: dict[str, tuple[Callable[[gguf.GGUFWriter], None], Callable[[int], Shapes]]] = {
    "llama": (llama_metadata, tensors.llama),
    "qwen2": (llama_metadata, tensors.qwen2),
    "gemma3": (gemma3_metadata, tensors.gemma3),
    "olmoe": (olmoe_metadata, tensors.olmoe),
    "mamba": (mamba_metadata, tensors.mamba),
    "rwkv7": (rwkv7_metadata, tensors.rwkv7),
    "jamba": (jamba_metadata, tensors.jamba),
    "bert": (bert_metadata, tensors.bert),
}
