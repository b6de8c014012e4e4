"""Flags of features that this build does not have, and why each is refused."""

from __future__ import annotations

import re

__all__ = ["AUDIO_AND_IMAGES", "EMBEDDINGS", "IMAGES", "RERANK", "reason_of"]

EMBEDDINGS = "there are no embeddings in this build: it generates text only"
RERANK = "there is no reranking in this build: it generates text only"
IMAGES = "no images are generated in this build: it generates text only"
AUDIO_AND_IMAGES = "prompts have text only in this build: no projector is loaded"
WEB_UI = "there is no web interface"
PROXY = "not done here: put a reverse proxy in front"
RPC_SERVER = "this build serves no devices to others; llama.cpp's rpc-server does"
ROUTER = "one server has one model"

_REASONS = (
    (r"--(embd-|pooling|attention)", EMBEDDINGS),
    (r"--visual-|--max-projected-cache|--mmproj-|--no-mmproj-offload", AUDIO_AND_IMAGES),
    (r"-mmu$|-mmdev$|--image-(min|max)-tokens|--video-|--mtmd-|--media-path", AUDIO_AND_IMAGES),
    (r"--image-", IMAGES),
    (r"--rpc-server-", RPC_SERVER),
    (r"--ssl-(key|cert)-file|--api-prefix|--cors-|--path$", PROXY),
    (r"--(ui|webui)(-|$)|--tools|--mcp-|--agent|-ag$", WEB_UI),
    (r"--models-|--sleep-idle-seconds", ROUTER),
    (r"--spm-infill", "the order of infill prompts is the model's"),
    (r"--skip-chat-parsing", "answers are always parsed"),
    (r"--slots$", "there is no such route: sessions have no slots of their own"),
    (r"--props$", "settings cannot be changed while the server runs"),
    (r"-sps$|--slot-prompt-similarity", "prompts share prefixes of any length and session"),
    (r"-fit|--fit", "nothing is fitted to the memory: -ngl and -c say how much is used"),
    (
        r"-tb?d$|-C(r|b|rb)?d$|--(threads|cpu|prio|poll)\S*-draft",
        "a draft model computes on the threads of -t",
    ),
    (r"--spec-draft-(threads|cpu|prio|poll)", "a draft model computes on the threads of -t"),
    (r"-ct[kv]d$|--cache-type-[kv]-draft|--spec-draft-type", "a draft model's cells are f16"),
    (r"-nocb$|--no-cont-batching", "batches are continuous"),
    (r"-lcs$|-lcd$|--lookup-cache-", "drafts are looked up in the request (--lookup-ngram-min)"),
)


def reason_of(flag: str) -> str | None:
    """Why llamabox has no such flag, if a peer has it."""
    return next((reason for pattern, reason in _REASONS if re.match(pattern, flag)), None)
