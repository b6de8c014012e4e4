"""Formats of tool calls: a module for each, and the table from which a template's is chosen."""

from __future__ import annotations

import functools

from .apertus import APERTUS
from .cohere import COMMAND_R, COMMAND_R7B
from .deepseek import DEEPSEEK_R1, DEEPSEEK_V3_1
from .events import CallArguments, CallStart, Content, Event, Parser, Reasoning
from .functionary import FUNCTIONARY_31, FUNCTIONARY_32
from .gemma import FUNCTION_GEMMA, GEMMA
from .generic import GENERIC
from .glm import CHAT_GLM, GLM, HUNYUAN
from .harmony import HARMONY
from .hermes import HERMES
from .invoke import DEEPSEEK_V3_2, DEEPSEEK_V4, MINICPM, MINIMAX_M2
from .kimi import KIMI_K2, KIMI_K3
from .lfm2 import LFM2
from .llama import LLAMA
from .minimax_m3 import MINIMAX_M3
from .mistral import MISTRAL, MISTRAL_V11, MISTRAL_V13
from .muse import MUSE
from .qwen_coder import QWEN_CODER, SEED_OSS
from .solar import SOLAR
from .tool_call_lists import (
    APRIEL,
    FIREFUNCTION,
    GIGACHAT,
    GIGACHAT_3,
    GRANITE,
    NEMOTRON,
    PHI,
    TOOL_CALLS,
)
from .tool_format import (
    CallShapes,
    Id,
    Json,
    Literal,
    Maybe,
    OwnReasoning,
    Piece,
    Tags,
    Tool,
    ToolFormat,
    Until,
)

__all__ = [
    "FORMATS",
    "GENERIC",
    "CallArguments",
    "CallShapes",
    "CallStart",
    "Content",
    "Event",
    "Id",
    "Json",
    "Literal",
    "Maybe",
    "OwnReasoning",
    "Parser",
    "Piece",
    "Reasoning",
    "Tags",
    "Tool",
    "ToolFormat",
    "Until",
    "format_of",
]

FORMATS: tuple[ToolFormat, ...] = (
    APERTUS,
    APRIEL,
    COMMAND_R,
    COMMAND_R7B,
    DEEPSEEK_R1,
    DEEPSEEK_V3_1,
    DEEPSEEK_V3_2,
    DEEPSEEK_V4,
    FIREFUNCTION,
    FUNCTIONARY_32,
    FUNCTION_GEMMA,
    GEMMA,
    GIGACHAT,
    GIGACHAT_3,
    GLM,
    GRANITE,
    HARMONY,
    HUNYUAN,
    KIMI_K2,
    KIMI_K3,
    LFM2,
    MINICPM,
    MINIMAX_M2,
    MINIMAX_M3,
    MISTRAL_V11,
    MISTRAL_V13,
    MUSE,
    NEMOTRON,
    PHI,
    SEED_OSS,
    SOLAR,
    QWEN_CODER,
    # What follows has marks that those above have too.
    CHAT_GLM,
    FUNCTIONARY_31,
    MISTRAL,
    TOOL_CALLS,
    HERMES,
    LLAMA,
    GENERIC,
)
"""In the order in which they are tried; the first that recognizes a template is its format. Those
with marks of their own come before those that have them in common with others."""


@functools.lru_cache(maxsize=64)
def format_of(template: str) -> ToolFormat:
    """The format that a chat template, given as its Jinja source, has the model write."""
    return next(format_ for format_ in FORMATS if format_.recognizes(template))
