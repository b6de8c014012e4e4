"""Parameters of the model, the engine and a request, in llama.cpp's names.

Leaf package: frozen values that validate themselves and know nothing of HTTP. The server turns
OpenAI's names (``max_tokens``, ``stop``) into these.
"""

from .choices import ChoiceParams
from .engine import BACKEND_SAMPLING, FLASH_ATTENTION, KV_LAYOUTS, MAX_SEQUENCES, EngineParams
from .generation import GenerationParams
from .model import ModelParams
from .reasoning import REASONING_EFFORTS, REASONING_FORMATS, ReasoningParams

__all__ = [
    "BACKEND_SAMPLING",
    "FLASH_ATTENTION",
    "KV_LAYOUTS",
    "MAX_SEQUENCES",
    "REASONING_EFFORTS",
    "REASONING_FORMATS",
    "ChoiceParams",
    "EngineParams",
    "GenerationParams",
    "ModelParams",
    "ReasoningParams",
]
