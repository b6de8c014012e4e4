"""How a model file is loaded."""

from __future__ import annotations

import dataclasses

from ..checks import check_strings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelParams:
    """How a GGUF file is loaded (``llama_model_params``).

    :param n_gpu_layers: layers kept on the GPU; -1 for all, ignored by CPU builds.
    :param devices: names of the devices that those go to (`list_devices`), () for none; None for
        all there are.
    :param use_mmap: map the file instead of reading it.
    :param use_mlock: keep the pages in RAM.
    """

    n_gpu_layers: int = -1
    devices: tuple[str, ...] | None = None
    use_mmap: bool = True
    use_mlock: bool = False

    def __post_init__(self) -> None:
        if self.devices is not None:
            check_strings(self, "devices")
