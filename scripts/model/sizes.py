"""Model sizes: the shapes of the network, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """Shape of a llama-style network; all lengths are in elements, context is in tokens."""

    dim: int
    layers: int
    heads: int
    kv_heads: int
    ff_dim: int
    context: int = 4096
    rope_base: float = 100000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Return the width of one attention head."""
        return self.dim // self.heads

    def parameters(self, vocab: int) -> int:
        """Return the number of weights for a vocabulary of the given size."""
        attention = self.dim * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        layer = attention + 3 * self.dim * self.ff_dim + 2 * self.dim
        return 2 * vocab * self.dim + self.layers * layer + self.dim


SIZES: dict[str, ModelSize] = {
    "pocket": ModelSize(dim=192, layers=4, heads=6, kv_heads=3, ff_dim=512),
    "pocket-draft": ModelSize(dim=128, layers=2, heads=4, kv_heads=2, ff_dim=192),
}
