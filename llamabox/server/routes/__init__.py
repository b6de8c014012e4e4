"""One module per group of routes; each makes its blueprint anew for every app."""

from __future__ import annotations

from sanic import Blueprint

from . import chat, completions, health, metrics, models, tokens

__all__ = ["blueprints"]


def blueprints() -> list[Blueprint]:
    """Fresh blueprints of all routes."""
    return [module.blueprint() for module in (chat, completions, health, metrics, models, tokens)]
