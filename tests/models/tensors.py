"""Names and shapes of a model's tensors, by architecture, and random values for them.

Shapes are numpy's: the dimension that llama.cpp names first comes last.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Shapes = dict[str, tuple[int, ...]]

N_EMBD, N_HEAD, N_HEAD_KV, N_FF, N_LAYER = 64, 4, 2, 96, 2
N_KV = N_EMBD // N_HEAD * N_HEAD_KV
SLIDING_WINDOW = 32
N_CONV, N_STATE, DT_RANK = 4, 16, 8
N_EXPERT, N_EXPERT_USED = 4, 2
WKV_HEAD, WKV_RANK = N_EMBD, 8
"""A smaller head than llama.cpp's vector step, up to 64, is computed past its end."""


def random_values(
    rng: np.random.Generator, name: str, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Values of a size at which every tensor has a part in the result."""
    if name.endswith(".ssm_a"):
        return -np.exp(rng.normal(0, 0.5, shape))
    if len(shape) == 1:
        centre = 0.0 if name.endswith("bias") else 1.0
        return rng.normal(centre, 0.1, shape)
    if name.startswith(("token_embd", "token_types", "position_embd")):
        return rng.normal(0, 1, shape)
    return rng.normal(0, 1 / math.sqrt(shape[-1]), shape)


def llama(n_vocab: int) -> Shapes:
    shapes = embeddings(n_vocab)
    for block in blocks():
        shapes |= {
            f"{block}.attn_norm.weight": (N_EMBD,),
            f"{block}.attn_q.weight": (N_EMBD, N_EMBD),
            f"{block}.attn_k.weight": (N_KV, N_EMBD),
            f"{block}.attn_v.weight": (N_KV, N_EMBD),
            f"{block}.attn_output.weight": (N_EMBD, N_EMBD),
            f"{block}.ffn_norm.weight": (N_EMBD,),
            f"{block}.ffn_gate.weight": (N_FF, N_EMBD),
            f"{block}.ffn_up.weight": (N_FF, N_EMBD),
            f"{block}.ffn_down.weight": (N_EMBD, N_FF),
        }
    return shapes


def qwen2(n_vocab: int) -> Shapes:
    biases: Shapes = {}
    for block in blocks():
        biases[f"{block}.attn_q.bias"] = (N_EMBD,)
        biases[f"{block}.attn_k.bias"] = biases[f"{block}.attn_v.bias"] = (N_KV,)
    return llama(n_vocab) | biases


def gemma3(n_vocab: int) -> Shapes:
    norms: Shapes = {}
    for block in blocks():
        norms[f"{block}.attn_q_norm.weight"] = (N_EMBD // N_HEAD,)
        norms[f"{block}.attn_k_norm.weight"] = (N_EMBD // N_HEAD,)
        norms[f"{block}.post_attention_norm.weight"] = (N_EMBD,)
        norms[f"{block}.post_ffw_norm.weight"] = (N_EMBD,)
    return llama(n_vocab) | norms


def olmoe(n_vocab: int) -> Shapes:
    """A mixture of experts; as many heads of K and V as of Q."""
    shapes = {name: shape for name, shape in llama(n_vocab).items() if ".ffn_" not in name}
    for block in blocks():
        shapes |= {
            f"{block}.attn_k.weight": (N_EMBD, N_EMBD),
            f"{block}.attn_v.weight": (N_EMBD, N_EMBD),
            f"{block}.attn_q_norm.weight": (N_EMBD,),
            f"{block}.attn_k_norm.weight": (N_EMBD,),
            f"{block}.ffn_norm.weight": (N_EMBD,),
            f"{block}.ffn_gate_inp.weight": (N_EXPERT, N_EMBD),
            f"{block}.ffn_gate_exps.weight": (N_EXPERT, N_FF, N_EMBD),
            f"{block}.ffn_up_exps.weight": (N_EXPERT, N_FF, N_EMBD),
            f"{block}.ffn_down_exps.weight": (N_EXPERT, N_EMBD, N_FF),
        }
    return shapes


def mamba(n_vocab: int) -> Shapes:
    shapes = embeddings(n_vocab)
    for block in blocks():
        shapes |= mamba_block(block)
    return shapes


def mamba_block(block: str) -> Shapes:
    n_inner = 2 * N_EMBD
    return {
        f"{block}.attn_norm.weight": (N_EMBD,),
        f"{block}.ssm_in.weight": (2 * n_inner, N_EMBD),
        f"{block}.ssm_conv1d.weight": (n_inner, N_CONV),
        f"{block}.ssm_conv1d.bias": (n_inner,),
        f"{block}.ssm_x.weight": (DT_RANK + 2 * N_STATE, n_inner),
        f"{block}.ssm_dt.weight": (n_inner, DT_RANK),
        f"{block}.ssm_dt.bias": (n_inner,),
        f"{block}.ssm_a": (n_inner, N_STATE),
        f"{block}.ssm_d": (n_inner,),
        f"{block}.ssm_out.weight": (N_EMBD, n_inner),
    }


def jamba(n_vocab: int) -> Shapes:
    """A hybrid: its first block is mamba's, the second attends."""
    mixing = blocks()[0]
    shapes = {
        name: shape
        for name, shape in llama(n_vocab).items()
        if not name.startswith(f"{mixing}.attn_")
    }
    shapes |= mamba_block(mixing) | {
        f"{mixing}.ssm_dt_norm.weight": (DT_RANK,),
        f"{mixing}.ssm_b_norm.weight": (N_STATE,),
        f"{mixing}.ssm_c_norm.weight": (N_STATE,),
    }
    return shapes


def rwkv7(n_vocab: int) -> Shapes:
    shapes = embeddings(n_vocab) | with_bias("token_embd_norm", N_EMBD)
    shapes |= with_bias("output_norm", N_EMBD)
    for block in blocks():
        shapes |= with_bias(f"{block}.attn_norm", N_EMBD)
        shapes |= with_bias(f"{block}.attn_norm_2", N_EMBD)
        shapes |= with_bias(f"{block}.time_mix_ln", N_EMBD)
        for name in "wav":
            shapes[f"{block}.time_mix_{name}0.weight"] = (N_EMBD,)
        for name in "wavg":
            shapes[f"{block}.time_mix_{name}1.weight"] = (WKV_RANK, N_EMBD)
            shapes[f"{block}.time_mix_{name}2.weight"] = (N_EMBD, WKV_RANK)
        for name in ("k_k", "k_a", "r_k"):
            shapes[f"{block}.time_mix_{name}.weight"] = (N_EMBD,)
        for name in ("key", "value", "receptance", "output"):
            shapes[f"{block}.time_mix_{name}.weight"] = (N_EMBD, N_EMBD)
        shapes |= {
            f"{block}.time_mix_lerp_fused.weight": (6, 1, 1, N_EMBD),
            f"{block}.channel_mix_lerp_k.weight": (1, 1, N_EMBD),
            f"{block}.channel_mix_key.weight": (N_FF, N_EMBD),
            f"{block}.channel_mix_value.weight": (N_EMBD, N_FF),
        }
    return shapes


def bert(n_vocab: int) -> Shapes:
    shapes: Shapes = {
        "token_embd.weight": (n_vocab, N_EMBD),
        "token_types.weight": (2, N_EMBD),
        "position_embd.weight": (4096, N_EMBD),
    } | with_bias("token_embd_norm", N_EMBD)
    for block in blocks():
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            n_out = N_KV if name in ("attn_k", "attn_v") else N_EMBD
            shapes |= with_bias(f"{block}.{name}", n_out, N_EMBD)
        shapes |= with_bias(f"{block}.attn_output_norm", N_EMBD)
        shapes |= with_bias(f"{block}.ffn_up", N_FF, N_EMBD)
        shapes |= with_bias(f"{block}.ffn_down", N_EMBD, N_FF)
        shapes |= with_bias(f"{block}.layer_output_norm", N_EMBD)
    return shapes


def embeddings(n_vocab: int) -> Shapes:
    """Input and output, not tied: the output would say the input again."""
    return {
        "token_embd.weight": (n_vocab, N_EMBD),
        "output_norm.weight": (N_EMBD,),
        "output.weight": (n_vocab, N_EMBD),
    }


def with_bias(name: str, n_out: int, *n_in: int) -> Shapes:
    return {f"{name}.weight": (n_out, *n_in), f"{name}.bias": (n_out,)}


def blocks() -> list[str]:
    return [f"blk.{i}" for i in range(N_LAYER)]
