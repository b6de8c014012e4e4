"""Scaling of positions beyond the length that a model was trained on."""

from __future__ import annotations

import dataclasses

from ..checks import MAX_FLOAT, check_choice, check_float, check_int

ROPE_SCALINGS = ("", "none", "linear", "yarn")
"""Their places less one are llama.cpp's numbers (``llama_rope_scaling_type``)."""
FROM_MODEL = -1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RopeParams:
    """RoPE scaling (``llama_context_params``).

    :param rope_scaling: "none", "linear", "yarn", or "" for the model's own.
    :param rope_freq_base: base frequency; 0 takes the model's.
    :param rope_freq_scale: factor of the frequencies, 1/N for N times the context; 0 takes the
        model's.
    :param yarn_orig_ctx: tokens of context that the model was trained on; 0 takes the model's.
    :param yarn_ext_factor: extrapolation mix, 0 to 1 (0 is full interpolation); below 0 takes the
        model's, or what the scaling needs.
    :param yarn_attn_factor: factor of the attention's magnitude; below 0 takes the model's, or 1.
    :param yarn_beta_fast: low correction dimension; below 0 takes the model's, or 32.
    :param yarn_beta_slow: high correction dimension; below 0 takes the model's, or 1.
    """

    rope_scaling: str = ""
    rope_freq_base: float = 0.0
    rope_freq_scale: float = 0.0
    yarn_orig_ctx: int = 0
    yarn_ext_factor: float = FROM_MODEL
    yarn_attn_factor: float = FROM_MODEL
    yarn_beta_fast: float = FROM_MODEL
    yarn_beta_slow: float = FROM_MODEL

    def __post_init__(self) -> None:
        check_choice(self, "rope_scaling", ROPE_SCALINGS)
        check_float(self, "rope_freq_base", 0)
        check_float(self, "rope_freq_scale", 0)
        check_int(self, "yarn_orig_ctx", 0)
        for name in ("yarn_ext_factor", "yarn_attn_factor", "yarn_beta_fast", "yarn_beta_slow"):
            check_float(self, name, FROM_MODEL, MAX_FLOAT)
