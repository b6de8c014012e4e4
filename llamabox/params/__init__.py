"""Parameters of the model, the engine and a request, in llama.cpp's names.

Leaf package: frozen values that validate themselves and know nothing of HTTP. The server turns
OpenAI's names (``max_tokens``, ``stop``) into these.
"""

from .choices import ChoiceParams
from .cpu import CpuParams
from .engine import (
    BACKEND_SAMPLING,
    CACHE_TYPES,
    FLASH_ATTENTION,
    KV_LAYOUTS,
    MAX_MIB,
    MAX_SEQUENCES,
    MIN_CHECKPOINT_STEP,
    MOVABLE,
    QUANTIZED,
    EngineParams,
)
from .generation import GenerationParams
from .model import SPLIT_MODES, KvValue, ModelParams
from .reasoning import REASONING_EFFORTS, REASONING_FORMATS, ReasoningParams
from .rope import ROPE_SCALINGS, RopeParams

__all__ = [
    "BACKEND_SAMPLING",
    "CACHE_TYPES",
    "FLASH_ATTENTION",
    "KV_LAYOUTS",
    "MAX_MIB",
    "MAX_SEQUENCES",
    "MIN_CHECKPOINT_STEP",
    "MOVABLE",
    "QUANTIZED",
    "REASONING_EFFORTS",
    "REASONING_FORMATS",
    "ROPE_SCALINGS",
    "SPLIT_MODES",
    "ChoiceParams",
    "CpuParams",
    "EngineParams",
    "GenerationParams",
    "KvValue",
    "ModelParams",
    "ReasoningParams",
    "RopeParams",
]
