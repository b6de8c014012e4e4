"""Files that are no model to generate text with, each with a word of the reason to give."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import gguf
import numpy as np

from tests.models.random_gguf import finish, llama_metadata, write_model, write_vocabulary


@dataclasses.dataclass(frozen=True)
class WrongFile:
    """:param reason: a regular expression that the message of its refusal matches."""

    path: Path
    reason: str


def write_wrong_files(folder: Path) -> dict[str, WrongFile]:
    """One of each kind, by name."""
    model = write_model(folder / "model.gguf").read_bytes()
    (folder / "directory.gguf").mkdir()
    found = {
        "missing": WrongFile(folder / "missing.gguf", "no such file"),
        "directory": WrongFile(folder / "directory.gguf", "a directory"),
        "below-a-file": WrongFile(folder / "model.gguf" / "x.gguf", "Not a directory"),
        "vocabulary": WrongFile(write_vocabulary(folder / "vocab.gguf"), "only a vocabulary"),
        "encoder": WrongFile(write_model(folder / "bert.gguf", "bert"), "does not generate text"),
        "no-output": WrongFile(
            write_incomplete(folder / "incomplete.gguf"), "'output_norm.weight' not found"
        ),
        "projector": WrongFile(write_projector(folder / "mmproj.gguf"), "multimodal projector"),
        "typed-projector": WrongFile(
            write_typed(folder / "typed.gguf", "mmproj"), "multimodal projector"
        ),
        "lora": WrongFile(write_typed(folder / "lora.gguf", "adapter"), "LoRA adapter"),
        "unknown-architecture": WrongFile(
            write_unknown(folder / "unknown.gguf"), "unknown model architecture"
        ),
    }
    for name, (data, reason) in damaged(model).items():
        path = folder / f"{name}.gguf"
        path.write_bytes(data)
        found[name] = WrongFile(path, reason)
    return found


def damaged(model: bytes) -> dict[str, tuple[bytes, str]]:
    """Copies of a model that are cut or changed."""
    n = len(model)
    metadata = model.index(b"tokenizer.ggml.tokens")
    tensors = model.index(b"token_embd.weight")
    return {
        "empty": (b"", "not a GGUF|truncated"),
        "text": (b"This is no model at all.\n" * 100, "not a GGUF"),
        "pytorch": (b"PK\x03\x04" + bytes(1000), "not a GGUF"),
        "big-endian-magic": (b"FUGG" + model[4:], "not a GGUF"),
        "cut-in-magic": (model[:3], "not a GGUF|truncated"),
        "cut-in-version": (model[:6], "truncated"),
        "cut-in-counts": (model[:20], "truncated"),
        "cut-in-first-key": (model[:40], "truncated"),
        "cut-in-metadata": (model[: metadata + 300], r"truncated|failed|invalid"),
        "cut-in-tensor-table": (model[: tensors + 40], r"truncated|failed|invalid"),
        "cut-in-tensor-data": (model[: n // 2], "not within the file bounds"),
        "cut-by-one-block": (model[:-64], "not within the file bounds"),
        "flipped-version": (model[:4] + struct.pack(">I", 3) + model[8:], "version 50331648"),
        "version-1": (model[:4] + struct.pack("<I", 1) + model[8:], "version 1 "),
        "version-99": (model[:4] + struct.pack("<I", 99) + model[8:], "version 99 "),
        "many-tensors": (model[:8] + b"\xff" * 8 + model[16:], r"tensor|truncated|failed"),
        "many-pairs": (model[:16] + b"\xff" * 7 + b"\x7f" + model[24:], "damaged|truncated"),
        "long-string": (model[:24] + b"\xff" * 8 + model[32:], "damaged"),
    }


def write_incomplete(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    llama_metadata(writer)
    writer.add_tensor("token_embd.weight", np.zeros((512, 64), np.float32))
    return finish(writer, path)


def write_projector(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_tensor("mm.0.weight", np.zeros((8, 8), np.float32))
    return finish(writer, path)


def write_typed(path: Path, kind: str) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(kind)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.zeros((8, 8), np.float32))
    return finish(writer, path)


def write_unknown(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "perceptron")
    writer.add_tensor("weight", np.zeros((8, 8), np.float32))
    return finish(writer, path)
