"""Write a trained checkpoint as a GGUF file: F16 matrices, F32 norms, the vocabulary and
the chat template."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter, LlamaFileType, TokenType
from torch import Tensor

from build_tokenizer import CONTROL_TOKENS, END_OF_TEXT, MARKUP_TOKENS, TURN_END
from corpus import TEMPLATE_PATH
from sizes import SIZES, ModelSize

_LAYER_NAMES = {
    "attention_norm": "attn_norm", "attention.q": "attn_q", "attention.k": "attn_k",
    "attention.v": "attn_v", "attention.output": "attn_output", "ff_norm": "ffn_norm",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}


def tensor_name(name: str) -> str:
    """Return the GGUF name of one of the network's weights."""
    if name == "embedding.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    if name == "output.weight":
        return name
    _, layer, inner = name.removesuffix(".weight").split(".", 2)
    return f"blk.{layer}.{_LAYER_NAMES[inner]}.weight"


def add_shape(writer: GGUFWriter, size: ModelSize, vocab: int) -> None:
    """Write the keys that describe the network."""
    writer.add_context_length(size.context)
    writer.add_embedding_length(size.dim)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(size.ff_dim)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.kv_heads)
    writer.add_rope_dimension_count(size.head_dim)
    writer.add_rope_freq_base(size.rope_base)
    writer.add_layer_norm_rms_eps(size.norm_eps)
    writer.add_vocab_size(vocab)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)


def add_vocabulary(writer: GGUFWriter, tokenizer: dict[str, Any]) -> None:
    """Write tokens, token types, merges and the ids of the special tokens."""
    ids: dict[str, int] = tokenizer["model"]["vocab"]
    ids.update({token["content"]: token["id"] for token in tokenizer["added_tokens"]})
    tokens = sorted(ids, key=ids.__getitem__)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError("the token ids of tokenizer.json have gaps")
    types = dict.fromkeys(CONTROL_TOKENS, TokenType.CONTROL)
    types.update(dict.fromkeys(MARKUP_TOKENS, TokenType.USER_DEFINED))
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([types.get(token, TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(ids[END_OF_TEXT])
    writer.add_eos_token_id(ids[TURN_END])
    writer.add_eot_token_id(ids[TURN_END])
    writer.add_pad_token_id(ids[END_OF_TEXT])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE_PATH.read_text().rstrip("\n"))


def add_weights(writer: GGUFWriter, weights: dict[str, Tensor]) -> None:
    """Write the tensors: norms as F32, all else as F16."""
    for name, weight in weights.items():
        kind = np.float32 if weight.dim() == 1 else np.float16
        writer.add_tensor(tensor_name(name), weight.float().numpy().astype(kind))


def export(checkpoint: Path, tokenizer_path: Path, output: Path) -> None:
    """Write the GGUF file of a checkpoint, replacing an older file at once."""
    state = torch.load(checkpoint)
    tokenizer = json.loads(tokenizer_path.read_text())
    partial = output.with_suffix(".partial")
    writer = GGUFWriter(partial, "llama")
    writer.add_name(f"llamabox-{state['size']}")
    writer.add_description("A tiny model for trying out and testing llamabox.")
    add_shape(writer, SIZES[state["size"]], state["vocab"])
    add_vocabulary(writer, tokenizer)
    add_weights(writer, state["weights"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(output)
    print(f"{output}: {output.stat().st_size} bytes after {state['tokens']} training tokens")


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--size", choices=sorted(SIZES), default="pocket")
    parser.add_argument("--output", type=Path, default=Path("llamabox/models/pocket.gguf"))
    args = parser.parse_args()
    export(args.work / f"{args.size}.pt", args.work / "tokenizer.json", args.output)


if __name__ == "__main__":
    main()
