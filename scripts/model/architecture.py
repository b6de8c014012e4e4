"""The network: a llama-style decoder whose rotary pairs are neighbours, as GGUF expects.

llama.cpp's `llama` architecture rotates elements (2i, 2i+1) of a head together. The network
here does the same, so its weights go into a GGUF file without any reordering.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sizes import ModelSize


def rotary_table(size: ModelSize, length: int) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of shape (length, head_dim / 2)."""
    steps = torch.arange(0, size.head_dim, 2, dtype=torch.float32) / size.head_dim
    angles = torch.outer(torch.arange(length, dtype=torch.float32), size.rope_base**-steps)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate neighbouring pairs of x, shape (batch, heads, length, head_dim)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Attention(nn.Module):
    """Causal self-attention with grouped key and value heads."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.size = size
        self.q = nn.Linear(size.dim, size.heads * size.head_dim, bias=False)
        self.k = nn.Linear(size.dim, size.kv_heads * size.head_dim, bias=False)
        self.v = nn.Linear(size.dim, size.kv_heads * size.head_dim, bias=False)
        self.output = nn.Linear(size.heads * size.head_dim, size.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map x of shape (batch, length, dim) to the same shape."""
        batch, length, _ = x.shape
        size = self.size
        shape = (batch, length, -1, size.head_dim)
        q = rotate(self.q(x).view(shape).transpose(1, 2), cos, sin).to(x.dtype)
        k = rotate(self.k(x).view(shape).transpose(1, 2), cos, sin).to(x.dtype)
        v = self.v(x).view(shape).transpose(1, 2)
        group = size.heads // size.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v.to(q.dtype), is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, -1))


class Block(nn.Module):
    """One layer: attention, then a gated feed-forward network, each after a norm."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(size.dim, eps=size.norm_eps)
        self.attention = Attention(size)
        self.ff_norm = nn.RMSNorm(size.dim, eps=size.norm_eps)
        self.gate = nn.Linear(size.dim, size.ff_dim, bias=False)
        self.up = nn.Linear(size.dim, size.ff_dim, bias=False)
        self.down = nn.Linear(size.ff_dim, size.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map x of shape (batch, length, dim) to the same shape."""
        x = x + self.attention(self.attention_norm(x), cos, sin)
        hidden = self.ff_norm(x)
        return x + self.down(F.silu(self.gate(hidden)) * self.up(hidden))


class Network(nn.Module):
    """Token ids in, logits out."""

    def __init__(self, size: ModelSize, vocab: int) -> None:
        super().__init__()
        self.size = size
        self.embedding = nn.Embedding(vocab, size.dim)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.dim, eps=size.norm_eps)
        self.output = nn.Linear(size.dim, vocab, bias=False)
        cos, sin = rotary_table(size, size.context)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of shape (batch, length, vocab) for tokens of shape (batch, length)."""
        length = tokens.shape[1]
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos[:length], self.sin[:length])
        return self.output(self.norm(x))
