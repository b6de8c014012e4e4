"""What LoRA adapters cost: none in use, one set, and two sets that take turns."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import gguf
import numpy as np

from llamabox import Engine, EngineParams, GenerationParams, Model, packaged_model

from ..pairs import Comparison, compare
from ..report import Result
from ..settings import N_THREADS, Settings

N_REQUESTS = 8
N_OUTPUT = 96
RANK = 8
ADAPTED = ("attn_q", "attn_v", "ffn_up", "ffn_down")
PARAMS = EngineParams(n_ctx=4096, n_parallel=N_REQUESTS, n_threads=N_THREADS)
ABOUT = f"""\
The packaged model, {N_REQUESTS} requests of {N_OUTPUT} tokens at once, in one process with one
compute thread: seconds for all of them. Two adapters of rank {RANK} are loaded, or none. Requests
of two sets cannot share a forward, so they compute twice as many forwards of half as many rows."""

Lora = tuple[tuple[int, float], ...] | None
NONE: Lora = ()
FIRST: Lora = ((0, 1.0),)
SECOND: Lora = ((1, 1.0),)


def run(settings: Settings) -> Result:
    """Measure each kind of requests in turn with another."""
    with _engines() as (plain, adapted):
        comparisons = (
            _compare(settings, "none in use", (adapted, (NONE,)), (plain, (None,)), "none loaded"),
            _compare(settings, "one set", (adapted, (FIRST,)), (adapted, (NONE,)), "none in use"),
            _compare(settings, "two sets", (adapted, (FIRST, SECOND)), (adapted, (FIRST,)), "one"),
        )
    return Result(title="LoRA adapters", about=ABOUT, comparisons=comparisons)


def _compare(
    settings: Settings,
    case: str,
    ours: tuple[Engine, tuple[Lora, ...]],
    peer: tuple[Engine, tuple[Lora, ...]],
    peer_name: str,
) -> Comparison:
    n_output = settings.count(N_OUTPUT, 4)
    return compare(
        case,
        ours=partial(_seconds, *ours, n_output),
        peer=partial(_seconds, *peer, n_output),
        peer_name=peer_name,
        unit="s",
        runs=settings.runs,
        lower_is_better=True,
        in_summary=False,
    )


def _seconds(engine: Engine, sets: tuple[Lora, ...], n_output: int) -> float:
    params = GenerationParams(temperature=0, ignore_eos=True, n_predict=n_output)
    started = time.perf_counter()
    streams = [
        engine.stream(f"Request {i}", params, lora=sets[i % len(sets)]) for i in range(N_REQUESTS)
    ]
    for stream in streams:
        stream.completion()
    return time.perf_counter() - started


@contextlib.contextmanager
def _engines() -> Iterator[tuple[Engine, Engine]]:
    with tempfile.TemporaryDirectory() as folder:
        files = tuple((str(_adapter(Path(folder) / f"{i}.gguf", i)), 1.0) for i in range(2))
        with Model.load() as model, Engine(model, PARAMS) as plain:
            params = PARAMS.replace(
                lora=files,
                kv_layout=plain.layout.kv_layout,
                flash_attention=plain.layout.flash_attention,
            )
            with Engine(model, params) as adapted:
                yield plain, adapted


def _adapter(path: Path, seed: int) -> Path:
    """Write a random adapter for the packaged model."""
    rng = np.random.default_rng(seed)
    reader = gguf.GGUFReader(packaged_model())
    field = reader.get_field("general.architecture")
    assert field is not None
    writer = gguf.GGUFWriter(path, str(field.contents()))
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    for tensor in reader.tensors:
        if not any(f".{name}.weight" in tensor.name for name in ADAPTED):
            continue
        n_in, n_out = (int(n) for n in tensor.shape)
        a, b = rng.normal(0, 0.02, (RANK, n_in)), rng.normal(0, 0.02, (n_out, RANK))
        writer.add_tensor(f"{tensor.name}.lora_a", a.astype(np.float32))
        writer.add_tensor(f"{tensor.name}.lora_b", b.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
