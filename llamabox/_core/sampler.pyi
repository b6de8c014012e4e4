from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .dry import MakeDry
from .guidance import Constraint
from .lib import Library

class Sampler:
    def __init__(
        self,
        binding: Any,
        n_vocab: int,
        n_ctx: int,
        params: Any,
        banned: Sequence[int] = (),
        *,
        vocab: int | None = None,
        constraint: Constraint | None = None,
        backend: bool = False,
        ends: Sequence[int] = (),
        n_least: int = 0,
        seed: int | None = None,
        make_dry: MakeDry | None = None,
    ) -> None: ...
    def start(self, library: Library, history: npt.NDArray[np.int32]) -> None: ...
    def sample(
        self, library: Library, logits: npt.NDArray[np.float32], history: npt.NDArray[np.int32]
    ) -> int: ...
    def sample_probs(
        self,
        library: Library,
        logits: npt.NDArray[np.float32],
        history: npt.NDArray[np.int32],
        n_best: int,
    ) -> tuple[int, list[tuple[int, float]]]: ...
