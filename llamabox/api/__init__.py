"""The library: text, messages, threads and event loops over the core.

Nothing here knows of HTTP, status codes or OpenAI's field names, and nothing here imports
`llamabox.server`.
"""

from .adapters import Adapter, Adapters
from .backends import NUMA_STRATEGIES, add_rpc_servers, set_numa
from .biases import check_bias_ids
from .capabilities import Capabilities
from .chat import RESERVED_VARIABLES, ChatTemplate
from .choices import await_all, best, interleaved, start_one
from .context import Layout
from .conversation import Conversation
from .engine import Engine
from .formats import CallArguments, CallStart, Content, Event, Reasoning, Tool
from .hub import fetch
from .infill import Infill
from .jinja import compile_template
from .loading import check_model_params
from .messages import ChatMessage, ToolCall
from .model import Model, packaged_model
from .pieces import piece_tokens
from .prompts import Prompt, PromptLike
from .results import (
    Candidate,
    Chunk,
    Completion,
    Counts,
    EngineStats,
    FinishReason,
    Histogram,
    Progress,
    SampledToken,
    Timings,
)
from .stream import AsyncStream, Stream
from .system import Device, list_devices, physical_cores, system_info
from .text import Tokenizer

__all__ = [
    "NUMA_STRATEGIES",
    "RESERVED_VARIABLES",
    "Adapter",
    "Adapters",
    "AsyncStream",
    "CallArguments",
    "CallStart",
    "Candidate",
    "Capabilities",
    "ChatMessage",
    "ChatTemplate",
    "Chunk",
    "Completion",
    "Content",
    "Conversation",
    "Counts",
    "Device",
    "Engine",
    "EngineStats",
    "Event",
    "FinishReason",
    "Histogram",
    "Infill",
    "Layout",
    "Model",
    "Progress",
    "Prompt",
    "PromptLike",
    "Reasoning",
    "SampledToken",
    "Stream",
    "Timings",
    "Tokenizer",
    "Tool",
    "ToolCall",
    "add_rpc_servers",
    "await_all",
    "best",
    "check_bias_ids",
    "check_model_params",
    "compile_template",
    "fetch",
    "interleaved",
    "list_devices",
    "packaged_model",
    "physical_cores",
    "piece_tokens",
    "set_numa",
    "start_one",
    "system_info",
]
