"""The library: text, messages, threads and event loops over the core.

Nothing here knows of HTTP, status codes or OpenAI's field names, and nothing here imports
`llamabox.server`.
"""

from .backends import NUMA_STRATEGIES, add_rpc_servers, set_numa
from .chat import ChatTemplate
from .choices import await_all, best, interleaved
from .context import Layout
from .engine import Engine
from .hub import fetch
from .infill import Infill
from .loading import check_model_params
from .model import Model, packaged_model
from .prompts import Prompt, PromptLike
from .results import (
    Candidate,
    Chunk,
    Completion,
    Counts,
    EngineStats,
    FinishReason,
    Histogram,
    SampledToken,
    Timings,
)
from .stream import AsyncStream, Stream
from .system import Device, list_devices, physical_cores, system_info
from .text import Tokenizer

__all__ = [
    "NUMA_STRATEGIES",
    "AsyncStream",
    "Candidate",
    "ChatTemplate",
    "Chunk",
    "Completion",
    "Counts",
    "Device",
    "Engine",
    "EngineStats",
    "FinishReason",
    "Histogram",
    "Infill",
    "Layout",
    "Model",
    "Prompt",
    "PromptLike",
    "SampledToken",
    "Stream",
    "Timings",
    "Tokenizer",
    "add_rpc_servers",
    "await_all",
    "best",
    "check_model_params",
    "fetch",
    "interleaved",
    "list_devices",
    "packaged_model",
    "physical_cores",
    "set_numa",
    "system_info",
]
