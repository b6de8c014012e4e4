from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .adapters import AdapterSet
from .outbox import Outbox
from .ratelimit import Bucket
from .reasoning import Reasoning
from .sampler import Sampler
from .vocab import Vocab

class Request:
    vocab: Vocab
    sampler: Sampler
    outbox: Outbox
    bucket: Bucket | None
    adapters: AdapterSet | None
    consumer: Any
    def __init__(
        self,
        prompt: npt.NDArray[np.int32],
        *,
        n_predict: int,
        n_ctx: int,
        context_shift: bool = False,
        n_keep: int = 0,
        n_discard: int = 0,
        stops: Sequence[bytes] = (),
        priority_ns: int = 0,
        deadline_ns: int = 0,
        progress: bool = False,
        n_predict_min: int = 0,
        n_indent: int = 0,
        lines_ns: int = 0,
        slot: int = -1,
        adapters: AdapterSet | None = None,
        n_probs: int = -1,
        post_sampling: bool = False,
        n_draft_max: int = 0,
        n_draft_min: int = 0,
        draft_p_min: float = 0,
        n_alike: int = 1,
        starts_anew: bool = False,
        n_reuse: int = 0,
        key: int = 0,
        bucket: Bucket | None = None,
        tokens_per_second: float = 0,
        reasoning: Reasoning | None = None,
        sampler: Sampler,
        vocab: Vocab,
        outbox: Outbox,
        consumer: Any = None,
    ) -> None: ...
    def cancel(self) -> None: ...
    def output_tokens(self) -> list[int]: ...
    @property
    def n_prompt(self) -> int: ...
    @property
    def n_cached(self) -> int: ...
    @property
    def n_output(self) -> int: ...
    @property
    def n_reasoning(self) -> int: ...
    @property
    def n_drafted(self) -> int: ...
    @property
    def n_draft_accepted(self) -> int: ...
    @property
    def is_truncated(self) -> bool: ...
    @property
    def slot(self) -> int: ...
    @property
    def finish(self) -> int: ...
    @property
    def i_stop(self) -> int: ...
    @property
    def times(self) -> tuple[int, int, int, int]: ...
