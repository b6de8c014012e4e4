import numpy as np
import numpy.typing as npt

def logprobs(
    logits: npt.NDArray[np.float32], token: int, n_best: int = 0
) -> tuple[float, list[tuple[int, float]]]: ...
