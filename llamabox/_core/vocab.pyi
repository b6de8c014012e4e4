from typing import Any

import numpy as np
import numpy.typing as npt

from .lib import Library

class Vocab:
    owner: Any
    end_of_generation: tuple[int, ...]
    def __init__(
        self, library: Library, address: int, *, owner: object = None, special: bool = False
    ) -> None: ...
    @property
    def n_tokens(self) -> int: ...
    @property
    def longest_text(self) -> int: ...
    def lengths(self) -> npt.NDArray[np.int32]: ...
    def piece(self, token: int) -> bytes: ...
    def detokenize(self, tokens: npt.NDArray[np.int32]) -> bytes: ...
