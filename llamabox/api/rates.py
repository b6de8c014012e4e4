"""How fast requests may be answered: their budgets, and what they may ask for at most."""

from __future__ import annotations

import collections
import math
import select
import threading
import time
import weakref

import llama_cpp
import numpy as np

from .._core.outbox import Outbox
from .._core.ratelimit import Bucket
from .._core.request import Request
from .._core.sampler import Sampler
from .._core.scheduler import Scheduler
from ..checks import MIN_RATE
from ..errors import InvalidRequest, ModelLoadError
from ..params import EngineParams, GenerationParams
from .context import OwnedContext
from .model import Model

N_TRIAL = 65
"""Output tokens of a trial, of which the first one is not timed."""
TRIAL_NS = 500_000_000
"""What a trial may take, but for the step that runs then."""
KEPT_SECONDS = 60.0
N_KEPT = 4096
"""Keys whose budget is kept after their last request."""


class Budgets:
    """The token buckets of one engine's requests; may be used by any thread.

    Those of a key are found again as long as one of its requests is alive, and `KEPT_SECONDS` after
    the last one was made, so that many short requests in a row get no more than a long one.

    :param most: tokens per second that a request may ask for; 0 for no limit.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._shared: weakref.WeakValueDictionary[str, Bucket] = weakref.WeakValueDictionary()
        self._recent: collections.OrderedDict[str, tuple[float, Bucket]] = collections.OrderedDict()

    def bucket(self, params: GenerationParams) -> Bucket | None:
        """What a request, or all choices of one prompt, are to be charged to.

        :raises InvalidRequest: it asks for more than it may.
        """
        rate = params.tokens_per_second
        if rate == 0:
            return None
        if 0 < self._most < rate:
            raise InvalidRequest(
                f"tokens_per_second: {rate:g} is above the {self._most:g} that may be asked for",
                param="tokens_per_second",
            )
        if params.rate_key is None:
            return Bucket(rate)
        with self._lock:
            return self._find(params.rate_key, rate, time.monotonic())

    def _find(self, key: str, rate: float, now: float) -> Bucket:
        bucket = self._shared.get(key)
        if bucket is None:
            bucket = self._shared[key] = Bucket(rate)
        self._recent[key] = (now, bucket)
        self._recent.move_to_end(key)
        while len(self._recent) > N_KEPT or next(iter(self._recent.values()))[0] < (
            now - KEPT_SECONDS
        ):
            self._recent.popitem(last=False)
        return bucket


def most_tokens_per_second(
    model: Model, params: EngineParams, context: OwnedContext, n_ctx: int
) -> float:
    """What a request may ask for, measured if `params` say so; 0 for no limit.

    :param context: of which nothing is in use yet.
    :raises ModelLoadError: llama.cpp fails.
    """
    if params.tokens_per_second >= 0:
        return params.tokens_per_second
    measured = trial_tokens_per_second(model, context, n_ctx)
    return float(math.ceil(measured)) if measured > 1 else round(measured, 3) or MIN_RATE


def trial_tokens_per_second(model: Model, context: OwnedContext, n_ctx: int) -> float:
    """What a request alone gets, with the default samplers: a short one goes all the way that
    others will go."""
    outbox = Outbox()
    vocab = llama_cpp.llama_model_get_vocab(model.address)
    request = Request(
        np.array([max(0, llama_cpp.llama_vocab_bos(vocab))], dtype=np.int32),
        n_predict=max(1, min(N_TRIAL, n_ctx - 1)),
        n_ctx=n_ctx,
        deadline_ns=TRIAL_NS,
        sampler=Sampler(
            llama_cpp,
            model.n_vocab,
            n_ctx,
            GenerationParams(seed=0),
            model.vocab.end_of_generation,
            vocab=vocab,
        ),
        vocab=model.vocab,
        outbox=outbox,
    )
    scheduler = Scheduler(context.core, model.vocab, 1, n_ctx)
    thread = threading.Thread(target=scheduler.run, name="llamabox-trial", daemon=True)
    thread.start()
    try:
        scheduler.submit(request)
        _wait(outbox)
    finally:
        scheduler.close()
        thread.join()
        context.clear()
    if not request.n_output:
        raise ModelLoadError(f"{model.path}: llama.cpp fails on a trial of the model's speed")
    _, t_admit, t_first, t_last = request.times
    n_timed = request.n_output - 1
    return 1e9 * n_timed / (t_last - t_first) if n_timed else 1e9 / (t_first - t_admit)


def _wait(outbox: Outbox) -> None:
    """Until its only request has ended."""
    poll = select.poll()
    poll.register(outbox.fd, select.POLLIN)
    while not any(finish for *_, finish, _, _ in outbox.drain()):
        poll.poll()
