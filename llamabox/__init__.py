"""llamabox: llama.cpp behind a Python library and an OpenAI-compatible server."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import (
    EngineClosed,
    EngineError,
    EngineOverloaded,
    GenerationError,
    HubAccessDenied,
    HubError,
    HubFileDamaged,
    HubNotFound,
    HubUnreachable,
    IncompatibleLibrary,
    InvalidRequest,
    LlamaboxError,
    ModelLoadError,
    NoTokenLeft,
    PromptTooLong,
    TemplateError,
)
from .params import ChoiceParams, EngineParams, GenerationParams, ModelParams, ReasoningParams
from .sources import HubModel, UrlModel

if TYPE_CHECKING:
    from .api import (
        AsyncStream,
        CallArguments,
        CallStart,
        Candidate,
        ChatMessage,
        Chunk,
        Completion,
        Content,
        Conversation,
        Engine,
        EngineStats,
        Event,
        FinishReason,
        Layout,
        Model,
        Progress,
        Prompt,
        Reasoning,
        SampledToken,
        Stream,
        Tool,
        ToolCall,
        fetch,
        interleaved,
        packaged_model,
    )

__all__ = [
    "AsyncStream",
    "CallArguments",
    "CallStart",
    "Candidate",
    "ChatMessage",
    "ChoiceParams",
    "Chunk",
    "Completion",
    "Content",
    "Conversation",
    "Engine",
    "EngineClosed",
    "EngineError",
    "EngineOverloaded",
    "EngineParams",
    "EngineStats",
    "Event",
    "FinishReason",
    "GenerationError",
    "GenerationParams",
    "HubAccessDenied",
    "HubError",
    "HubFileDamaged",
    "HubModel",
    "HubNotFound",
    "HubUnreachable",
    "IncompatibleLibrary",
    "InvalidRequest",
    "Layout",
    "LlamaboxError",
    "Model",
    "ModelLoadError",
    "ModelParams",
    "NoTokenLeft",
    "Progress",
    "Prompt",
    "PromptTooLong",
    "Reasoning",
    "ReasoningParams",
    "SampledToken",
    "Stream",
    "TemplateError",
    "Tool",
    "ToolCall",
    "UrlModel",
    "__version__",
    "fetch",
    "interleaved",
    "packaged_model",
]


def __getattr__(name: str) -> Any:
    """Import `llamabox.api`, and with it llama.cpp, when something of it is first used."""
    if name in __all__:
        return getattr(importlib.import_module(".api", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is not imported yet, too."""
    return sorted({*globals(), *__all__})
