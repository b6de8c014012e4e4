"""Types of the numbers in cells."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CELL_TYPES", "CellType"]


class CellType(NamedTuple):
    """A type of ggml.

    :ivar number: ``ggml_type``.
    :ivar n_bytes: of a number, on average over a block.
    """

    number: int
    n_bytes: float


CELL_TYPES = {
    "f32": CellType(0, 4),
    "f16": CellType(1, 2),
    "bf16": CellType(30, 2),
    "q8_0": CellType(8, 34 / 32),
    "q4_0": CellType(2, 18 / 32),
    "q4_1": CellType(3, 20 / 32),
    "iq4_nl": CellType(20, 18 / 32),
    "q5_0": CellType(6, 22 / 32),
    "q5_1": CellType(7, 24 / 32),
}
"""By their names in `EngineParams`."""
