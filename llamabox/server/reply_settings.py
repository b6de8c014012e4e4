"""What a generation was made with, in llama-server's names: ``generation_settings``."""

from __future__ import annotations

from typing import Any

from .schema import GenerationRequest

__all__ = ["generation_settings"]

SAME_NAMES = (
    "seed",
    "temperature",
    "dynatemp_range",
    "dynatemp_exponent",
    "top_k",
    "top_p",
    "min_p",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "typical_p",
    "repeat_last_n",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "dry_sequence_breakers",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "adaptive_target",
    "adaptive_decay",
    "stop",
    "n_predict",
    "n_keep",
    "n_discard",
    "n_cache_reuse",
    "n_indent",
    "cache_prompt",
    "ignore_eos",
    "min_keep",
    "samplers",
    "post_sampling_probs",
    "priority",
    "deadline",
)
"""Parameters that are called the same in requests, so that settings can be sent back."""


def generation_settings(asked: GenerationRequest) -> dict[str, Any]:
    """The settings as JSON says them; a bias that bans is null."""
    params = asked.params
    adapters = [{"id": index, "scale": scale} for index, scale in params.lora or ()]
    return (
        {name: getattr(params, name) for name in SAME_NAMES}
        | {
            "max_tokens": params.n_predict,
            "min_tokens": params.n_predict_min,
            "t_max_predict_ms": params.max_predict_time * 1e3,
            "id_slot": params.slot,
            "n_probs": max(0, params.n_probs),
            "logit_bias": [{"bias": bias, "token": token} for token, bias in params.logit_bias],
            "grammar": params.grammar or "",
            "stream": asked.stream,
            "timings_per_token": asked.reply.timings_per_token,
            "speculative.n_max": params.n_draft_max,
            "speculative.n_min": params.n_draft_min,
            "speculative.p_min": params.draft_p_min,
        }
        | ({} if params.lora is None else {"lora": adapters})
    )
