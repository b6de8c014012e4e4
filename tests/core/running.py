"""A scheduler on a thread of its own, and the requests that a test gives it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from llamabox._core.backend import Backend
from llamabox._core.context import Context
from llamabox._core.disk import PrefixFiles
from llamabox._core.jobs import Jobs
from llamabox._core.lib import Library
from llamabox._core.outbox import Outbox
from llamabox._core.request import Request
from llamabox._core.sampler import Sampler
from llamabox._core.scheduler import Scheduler
from llamabox._core.tier import Tier
from llamabox._core.vocab import Vocab
from llamabox.params import GenerationParams
from tests.core.faults import Decoder

HANG = 60.0
"""Seconds after which something that should have happened is taken for a hang."""
EOG, STOP, LENGTH, CANCELLED, DEADLINE, ERROR = range(1, 7)
GREEDY = GenerationParams(temperature=0, seed=0)
CHECKPOINTS = {"n_checkpoints": 64, "n_checkpoint_bytes": 64 << 20}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds()``; fails after the hang guard."""
    deadline = time.monotonic() + HANG
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.001)


@llama_cpp.llama_log_callback
def _ignore(level: int, text: bytes, data: object) -> None:
    """Keep the library's chatter out of the test's output."""


class LoadedModel:
    """A model and its piece table."""

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_log_set(_ignore, None)
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        self.address = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        assert self.address, path
        self.vocab_address = llama_cpp.llama_model_get_vocab(self.address)
        self.vocab = Vocab(Library(llama_cpp), self.vocab_address)
        self.n_vocab: int = self.vocab.n_tokens

    def text_tokens(self) -> list[int]:
        """The tokens that say something and end nothing."""
        ends = set(self.vocab.end_of_generation)
        return [t for t in range(self.n_vocab) if t not in ends and self.vocab.piece(t)]

    def random_prompt(self, rng: np.random.Generator, n: int) -> list[int]:
        return [int(t) for t in rng.choice(self.text_tokens(), n)]

    def new_context(
        self,
        n_ctx: int,
        n_parallel: int,
        n_batch: int,
        n_ubatch: int,
        *,
        flash_attention: bool = False,
        n_sequences: int = 0,
        swa_full: bool = False,
        partitioned: bool = False,
        n_draft_rows: int = 0,
        f32_cells: bool = False,
    ) -> int:
        """A context of one thread; `n_ctx` are the cells of each sequence if it is partitioned.

        With flash attention the logits of a prompt depend on the batches that it came in, by
        some thousandths; without, and with f32 weights, by less than a millionth. Now and then a
        cell is rounded to another f16 for that, unless cells are f32.
        """
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = n_ctx * (n_sequences or n_parallel) if partitioned else n_ctx
        params.n_batch = n_batch
        params.n_ubatch = n_ubatch
        params.n_seq_max = n_sequences or n_parallel
        params.n_outputs_max = params.n_seq_max + n_draft_rows
        params.n_threads = params.n_threads_batch = 1
        params.kv_unified = not partitioned
        params.swa_full = swa_full
        if f32_cells:
            params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
        params.no_perf = True
        params.flash_attn_type = int(flash_attention)
        address: int = llama_cpp.llama_init_from_model(self.address, params)
        assert address
        return address

    def close(self) -> None:
        llama_cpp.llama_model_free(self.address)


@dataclasses.dataclass(kw_only=True)
class Result:
    """What a request has given so far."""

    request: Request
    pieces: list[bytes] = dataclasses.field(default_factory=list)
    streamed: list[int] = dataclasses.field(default_factory=list)
    progress: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    n_events: int = 0
    finish: int = 0
    probs: list[list[tuple[int, float]]] = dataclasses.field(default_factory=list)

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def n_tokens(self) -> int:
        """Output tokens that events told of."""
        return len(self.streamed)

    @property
    def tokens(self) -> list[int]:
        return self.request.output_tokens()


class _Never(BaseException):
    """Nothing raises it."""


class SecondTier:
    """The second tier of one `Core`, with its worker.

    :param folder: of its files; None for none.
    """

    def __init__(
        self,
        limit: int = 64 << 20,
        folder: Path | None = None,
        *,
        n_block: int = 32,
        min_tokens: int = 1,
        max_bytes: int = 64 << 20,
        fingerprint: bytes = b"test",
        files: Any = None,
    ) -> None:
        self._limit = limit
        self._options = {"n_block": n_block, "min_tokens": min_tokens}
        self.files = files or (PrefixFiles(folder, max_bytes, fingerprint) if folder else None)
        self.jobs = Jobs(self.files is not None)
        self.dies_of: type[BaseException] = _Never

    def tier(self, context: Context) -> Tier:
        self._tier = Tier(context, self.jobs, self._limit, **self._options)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self._tier

    def _serve(self) -> None:
        with contextlib.suppress(self.dies_of):
            self.jobs.serve(self.files, self._tier)

    def close(self) -> None:
        self.jobs.close(10**9)
        self._thread.join(HANG)
        assert not self._thread.is_alive()
        self._tier.close()


class Core:
    """A scheduler that runs until the `with` block ends; all its requests share one outbox.

    :param decoder: what computes; opened when the `with` block ends.
    :param second: its second tier of prefixes.
    :param options: more of the scheduler's.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        n_ctx: int = 1024,
        n_parallel: int = 4,
        n_batch: int = 256,
        n_ubatch: int = 64,
        n_cells: int | None = None,
        decoder: Decoder | None = None,
        flash_attention: bool = False,
        n_sequences: int = 0,
        backend_sampling: bool = False,
        swa_full: bool = False,
        partitioned: bool = False,
        f32_cells: bool = False,
        second: SecondTier | None = None,
        **options: Any,
    ) -> None:
        self.model = model
        n_sequences = n_sequences or n_parallel + (second is not None)
        self.n_parallel = n_parallel
        self.n_cells = n_cells or n_ctx
        self._address = model.new_context(
            n_ctx,
            n_parallel,
            n_batch,
            n_ubatch,
            flash_attention=flash_attention,
            n_sequences=n_sequences,
            swa_full=swa_full,
            partitioned=partitioned,
            n_draft_rows=options.get("n_draft_rows", 0),
            f32_cells=f32_cells,
        )
        self._decoder = decoder or Decoder()
        binding = decoder.binding if decoder else llama_cpp
        self.context = Context(Library(binding), self._address, swa_full=swa_full)
        self._second = second
        self.scheduler = Scheduler(
            self.context,
            model.vocab,
            n_parallel,
            self.n_cells,
            backend=Backend(self.context, backend_sampling),
            tier=second.tier(self.context) if second else None,
            **{**CHECKPOINTS, **options},
        )
        self.outbox = Outbox()
        self.results: list[Result] = []
        self._thread = threading.Thread(target=self.scheduler.run)

    def __enter__(self) -> Core:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scheduler.close()
        self._decoder.open()
        self.close()
        llama_cpp.llama_free(self._address)

    def close(self) -> None:
        self.scheduler.close()
        self._thread.join(HANG)
        assert not self._thread.is_alive()
        if self._second:
            self._second.close()

    def request(
        self,
        prompt: Sequence[int],
        n_predict: int = 16,
        *,
        stops: Sequence[bytes] = (),
        params: GenerationParams = GREEDY,
        n_ctx: int = 0,
        outbox: Outbox | None = None,
        **options: Any,
    ) -> Request:
        model = self.model
        banned = model.vocab.end_of_generation if params.ignore_eos else ()
        return Request(
            np.asarray(prompt, dtype=np.int32),
            n_predict=n_predict if n_predict >= 0 else self.n_cells,
            n_ctx=n_ctx or self.n_cells,
            stops=list(stops),
            sampler=Sampler(
                llama_cpp,
                model.n_vocab,
                self.n_cells,
                params,
                banned,
                vocab=model.vocab_address,
                backend=self.scheduler.backend.is_enabled,
            ),
            vocab=model.vocab,
            outbox=outbox or self.outbox,
            **options,
        )

    def submit(self, prompt: Sequence[int], n_predict: int = 16, **options: Any) -> Result:
        request = self.request(prompt, n_predict, **options)
        result = request.consumer = Result(request=request)
        self.results.append(result)
        assert self.scheduler.submit(request)
        return result

    def submit_alike(self, prompt: Sequence[int], n: int, **options: Any) -> list[Result]:
        """`n` requests of one prompt, submitted together."""
        requests = [self.request(prompt, n_alike=n, **options) for _ in range(n)]
        results = [Result(request=request) for request in requests]
        for result in results:
            result.request.consumer = result
        self.results += results
        assert self.scheduler.submit(*requests)
        return results

    def drain(self) -> None:
        for request, text, tokens, finish, probs, progress in self.outbox.drain():
            result = request.consumer
            assert not result.finish, "an event after the last one"
            result.pieces.append(text)
            result.streamed += tokens
            result.progress += [progress] if progress else []
            result.n_events += 1
            assert probs is None or len(probs) == len(tokens)
            result.probs += probs or []
            result.finish = finish

    def wait(self, *results: Result) -> None:
        """Until these have ended; all that were submitted, if none is named."""
        wanted = results or tuple(self.results)

        def all_ended() -> bool:
            self.drain()
            return all(result.finish for result in wanted)

        eventually(all_ended, "every request ends")

    def run(self, prompt: Sequence[int], n_predict: int = 16, **options: Any) -> Result:
        """Submit a request and wait for its end."""
        result = self.submit(prompt, n_predict, **options)
        self.wait(result)
        return result

    def stats(self) -> dict[str, Any]:
        """Statistics of an idle scheduler."""
        eventually(lambda: not self._is_busy(), "the scheduler is idle")
        return self.scheduler.stats()

    def checked_cells(self) -> int:
        """Cells in use, after comparing the memory's positions with the books of each sequence."""
        n_cells: int = self.stats()["n_cells_used"]
        lengths = self.checked_lengths()
        assert not any(self.context.positions(i)[0] for i in range(len(lengths)))
        least = sum(lengths) if self.context.is_partitioned else max(lengths)
        assert least <= n_cells <= sum(lengths)
        return n_cells

    def checked_lengths(self) -> list[int]:
        """What each sequence holds by the books; the memory agrees."""
        self.stats()
        lengths = self.scheduler.sequence_lengths()
        assert [self.context.positions(i)[1] for i in range(len(lengths))] == lengths
        return lengths

    def all_saved(self) -> None:
        """Until the second tier has saved what is parked, as far as it can."""
        pool = self.scheduler.pool
        self.stats()
        eventually(lambda: pool.tier.is_done(pool.tree), "parked prefixes are saved")

    def all_known(self) -> None:
        """Until the second tier knows of every file."""
        if self._second and isinstance(self._second.files, PrefixFiles):
            n = self._second.files.n_files()
            eventually(lambda: self.scheduler.stats()["n_tier_disk_blocks"] >= n, "files are known")

    def _is_busy(self) -> bool:
        stats = self.scheduler.stats()
        n_finished = sum(stats["n_requests"].values())
        return bool(stats["n_running"] or n_finished < len(self.results))
