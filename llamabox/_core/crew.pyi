from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .lib import Library
from .sampler import Sampler

class Crew:
    n_helpers: int
    n_started: int
    def __init__(self, n_helpers: int, n_scratch: int) -> None: ...

def sample_rows(
    crew: Crew,
    library: Library,
    samplers: Sequence[Sampler],
    logits: npt.NDArray[np.float32],
    *,
    n_helpers: int,
) -> list[int]: ...
