"""First weights: small random numbers, and two heads that can copy from the start.

Copying is what a small network takes longest to find. It needs two steps: a head of the first
layer notes, at every token, which token came before; a head of the second layer looks for an
earlier token that came after the current one's twin, and raises its odds. The random start
leaves room for both: every embedding has a constant, two empty slots and a random code. The
first head copies the previous token's code into the first slot, the second compares that slot
with the current code and copies the code it finds into the second slot, which the output
matrix reads. Training is free to change all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from architecture import Attention, Network

SPREAD = 0.3
CONSTANT = 1.0
PREVIOUS_LOGIT = 8.0
MATCH_LOGIT = 12.0
COPY_LOGIT = 6.0
PAIR_WEIGHTS = (3.0, 2.0, 1.5)
SLOW_FROM = 12


def _slots(width: int) -> tuple[slice, slice, slice]:
    """Return where an embedding keeps the previous code, the copied code and its own code."""
    return slice(1, 1 + width), slice(1 + width, 1 + 2 * width), slice(1 + 2 * width, 1 + 3 * width)


def _small_weights(network: Network) -> None:
    """Draw small weights; the matrices that add to the residual stream are smaller still."""
    residual = 0.02 * (2 * network.size.layers) ** -0.5
    for name, weight in network.named_parameters():
        if weight.dim() == 2:
            inner = name.endswith(("attention.output.weight", "down.weight"))
            nn.init.normal_(weight, std=residual if inner else 0.02)


def _clear_last_head(attention: Attention) -> None:
    """Empty the last query head and the last key and value head."""
    width = attention.size.head_dim
    for matrix in (attention.q, attention.k, attention.v):
        matrix.weight[-width:] = 0.0
    attention.output.weight[:, -width:] = 0.0


def _plant_previous(attention: Attention, scale: float) -> None:
    """Make the last head copy the code of the token one step back.

    scale is what the norm multiplies an embedding by. The score of a token d steps back is a
    sum of cosines of (d - 1), which is largest for d = 1.
    """
    width = attention.size.head_dim
    previous, _, code = _slots(width)
    steps = torch.arange(len(PAIR_WEIGHTS))
    turn = attention.size.rope_base ** (-2.0 * steps / width)
    weights = torch.tensor(PAIR_WEIGHTS)
    lead = float((weights * (1 - turn.cos())).sum())
    strength = PREVIOUS_LOGIT * width**0.5 / (lead * (scale * CONSTANT) ** 2)
    amplitude = (strength * weights).sqrt()
    even = -width + 2 * steps
    _clear_last_head(attention)
    attention.q.weight[even, 0] = amplitude * turn.cos()
    attention.q.weight[even + 1, 0] = -amplitude * turn.sin()
    attention.k.weight[even, 0] = amplitude
    attention.v.weight[-width:, code] = torch.eye(width)
    attention.output.weight[previous, -width:] = torch.eye(width) / scale


def _plant_match(attention: Attention, scale: float) -> None:
    """Make the last head find the token whose previous code is the current code, and copy it.

    Only the rotary pairs that turn slowly take part, so that distance matters little.
    """
    width = attention.size.head_dim
    previous, copied, code = _slots(width)
    room = width - SLOW_FROM
    strength = (MATCH_LOGIT * width**0.5 / (room * (scale * SPREAD) ** 2)) ** 0.5
    _clear_last_head(attention)
    attention.q.weight[-room:, code][:, :room] = strength * torch.eye(room)
    attention.k.weight[-room:, previous][:, :room] = strength * torch.eye(room)
    attention.v.weight[-width:, code] = torch.eye(width)
    attention.output.weight[copied, -width:] = torch.eye(width) / scale


def _norm_scale(x: Tensor) -> float:
    """Return the mean factor by which a norm without weights multiplies the rows of x."""
    return float(x.pow(2).mean(-1).rsqrt().mean())


@torch.no_grad()
def initialise(network: Network) -> None:
    """Set the first weights of the network."""
    width = network.size.head_dim
    previous, copied, code = _slots(width)
    _small_weights(network)
    embedding = network.embedding.weight
    embedding.normal_(std=SPREAD)
    embedding[:, 0] = CONSTANT
    embedding[:, previous] = 0.0
    embedding[:, copied] = 0.0
    _plant_previous(network.blocks[0].attention, _norm_scale(embedding))
    noted = embedding.clone()
    noted[:, previous] = embedding[:, code].roll(1, 0)
    _plant_match(network.blocks[1].attention, _norm_scale(noted))
    noted[:, copied] = embedding[:, code].roll(2, 0)
    final = _norm_scale(noted)
    network.output.weight[:, copied] = (
        embedding[:, code] * COPY_LOGIT / (width * final * SPREAD**2)
    )
