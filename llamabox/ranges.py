"""The ranges of a request's numbers, for `GenerationParams`.

Leaf module.
"""

from __future__ import annotations

from .checks import MAX_FLOAT, MAX_INT

UNLIMITED = -1
WHOLE_PROMPT = -1
RANDOM_SEED = -1
ANY_SLOT = -1
MAX_SECONDS = 1e6
MAX_PRIORITY = 1000
MIN_REPEAT_PENALTY = 1e-6
MAX_SEED = 2**32 - 2
LLAMA_RANDOM_SEED = MAX_SEED + 1
"""``LLAMA_DEFAULT_SEED``, which is random to llama.cpp and its clients."""
MAX_DECAY = 0.99
MAX_PROBS = 256
"""Likeliest tokens that are told of beside each output token."""
MAX_DRAFT = 64
"""Tokens that are drafted for a step of one request."""

INT_RANGES = (
    ("n_predict", UNLIMITED, MAX_INT),
    ("n_predict_min", 0, MAX_INT),
    ("n_indent", 0, MAX_INT),
    ("slot", ANY_SLOT, MAX_INT),
    ("n_keep", WHOLE_PROMPT, MAX_INT),
    ("n_discard", 0, MAX_INT),
    ("n_cache_reuse", 0, MAX_INT),
    ("n_probs", -1, MAX_PROBS),
    ("n_draft_max", -1, MAX_DRAFT),
    ("n_draft_min", -1, MAX_DRAFT),
    ("priority", -MAX_PRIORITY, MAX_PRIORITY),
    ("top_k", -MAX_INT, MAX_INT),
    ("min_keep", 0, MAX_INT),
    ("repeat_last_n", -1, MAX_INT),
    ("dry_allowed_length", 0, MAX_INT),
    ("dry_penalty_last_n", -1, MAX_INT),
    ("mirostat", 0, 2),
    ("seed", RANDOM_SEED, MAX_SEED),
)
FLOAT_RANGES = (
    ("deadline", 0, MAX_SECONDS),
    ("max_predict_time", 0, MAX_SECONDS),
    ("draft_p_min", -1, 1),
    ("temperature", -MAX_FLOAT, MAX_FLOAT),
    ("dynatemp_range", 0, MAX_FLOAT),
    ("dynatemp_exponent", 0, MAX_FLOAT),
    ("top_p", 0, 1),
    ("min_p", 0, 1),
    ("typical_p", 0, 1),
    ("top_n_sigma", -MAX_FLOAT, MAX_FLOAT),
    ("xtc_probability", 0, 1),
    ("xtc_threshold", 0, 1),
    ("repeat_penalty", MIN_REPEAT_PENALTY, MAX_FLOAT),
    ("presence_penalty", -MAX_FLOAT, MAX_FLOAT),
    ("frequency_penalty", -MAX_FLOAT, MAX_FLOAT),
    ("dry_multiplier", 0, MAX_FLOAT),
    ("dry_base", 0, MAX_FLOAT),
    ("mirostat_tau", 0, MAX_FLOAT),
    ("mirostat_eta", 0, MAX_FLOAT),
    ("adaptive_target", -MAX_FLOAT, 1),
    ("adaptive_decay", 0, MAX_DECAY),
)
