"""One module per group of routes; each makes its blueprint anew for every app."""

from __future__ import annotations

from sanic import Blueprint

from . import (
    adapters,
    apply_template,
    chat,
    completions,
    health,
    metrics,
    models,
    props,
    tokens,
)

__all__ = ["blueprints"]


def blueprints() -> list[Blueprint]:
    """Fresh blueprints of all routes."""
    modules = (
        adapters,
        apply_template,
        chat,
        completions,
        health,
        metrics,
        models,
        props,
        tokens,
    )
    return [module.blueprint() for module in modules]
