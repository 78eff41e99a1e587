"""Places: numbers as places on a line, so that near values say nearly the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from tabsynth.models.neural.spans import Spans

KNOTS = 16
"""Equally spaced knots of the hats."""
OCTAVES = 8
"""Sines and cosines, each of half the wave length of the one before."""
FEATURES = KNOTS + 2 * OCTAVES
"""Features of a place."""


@dataclass(frozen=True)
class Places:
    """The numbers of a layout, each a place from 0 to 1 that is read off its blocks.

    The codes of ordinal blocks are equally long parts of the line, a block that refines another one
    cuts its parts, and the offset tells the place inside. Where codes are quantile bins, a place is
    about the share of the rows below.

    Attributes
    ----------
    columns : tensor of int64, shape (n_numbers,)
        Column of an index that holds the last block of each number.
    parents : tensor of int64, shape (n_numbers,)
        Column of the block that it refines, or the same column where it refines none.
    sizes, parts : tensor of float, shape (n_numbers,)
        Parts that the upper block cuts the line into, and the lower one each of them (1 where there
        is none).
    missing : tensor of int64, shape (n_numbers,)
        Position of the code of missing values of the upper block, -1 where there is none.
    offsets : tensor of int64, shape (n_numbers,)
        Column of offsets that goes with the number; one past the last where there is none.
    """

    columns: torch.Tensor
    parents: torch.Tensor
    sizes: torch.Tensor
    parts: torch.Tensor
    missing: torch.Tensor
    offsets: torch.Tensor

    @classmethod
    def of(cls, spans: Spans) -> Places:
        """Return the numbers of a layout: ordinal blocks that no other one refines."""
        layout, starts = spans.layout, spans.starts.tolist()
        refined = {block.parent for block in layout}
        none = len(layout.offset_blocks)
        rows: list[tuple[float, ...]] = []
        for number, block in enumerate(layout):
            if not block.ordinal or number in refined:
                continue
            upper = number if block.parent is None else block.parent
            above, parent = layout[upper], int(spans.column[upper])
            rows.append(
                (
                    spans.column[number],
                    parent,
                    max(above.size - (above.missing is not None), 1),
                    1 if upper == number else block.size,
                    -1 if above.missing is None else starts[parent] + above.missing,
                    layout.slots.get(number, none),
                )
            )
        table = np.array(rows, dtype=np.int64).reshape(-1, 6)
        columns, parents, sizes, parts, missing, moved = (
            torch.from_numpy(np.ascontiguousarray(column)).to(spans.device) for column in table.T
        )
        return cls(columns, parents, sizes.float(), parts.float(), missing, moved)

    def __len__(self) -> int:
        return len(self.columns)

    def take(self, numbers: slice) -> Places:
        """Return some of the numbers."""
        return Places(*(getattr(self, name)[numbers] for name in self.__dataclass_fields__))

    def features(self, spans: Spans, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return what a network is told of the places.

        Parameters
        ----------
        spans : Spans
        index : tensor of int, shape (n_rows, n_blocks)
        offsets : tensor of float, shape (n_rows, n_offset_blocks)

        Returns
        -------
        tensor of float, shape (n_rows, n_numbers, FEATURES)
            See `describe`; 0 where the number is missing.
        """
        upper = index[:, self.parents]
        known = (upper != self.missing)[..., None]
        lower = (index[:, self.columns] - spans.starts[self.columns]) * (
            self.parents != self.columns
        )
        padded = torch.nn.functional.pad(offsets, (0, 1))
        inside = (padded[:, self.offsets] + 1) / 2
        whole = (upper - spans.starts[self.parents]) + (lower + inside) / self.parts
        place = (whole / self.sizes).clamp(0.0, 1.0)[..., None]
        return describe(place) * known


def describe(places: torch.Tensor) -> torch.Tensor:
    """Return the features of places from 0 to 1, (..., FEATURES), of places (..., 1).

    They are hats on equally spaced knots, then sines and cosines.
    """
    knots = torch.linspace(0.0, 1.0, KNOTS, device=places.device)
    hats = (1 - (places - knots).abs() * (KNOTS - 1)).clamp_min(0.0)
    turns = places * (math.pi * 2.0 ** torch.arange(OCTAVES, device=places.device))
    return torch.cat([hats, turns.sin(), turns.cos()], dim=-1)


def describe_codes(spans: Spans) -> torch.Tensor:
    """Return the features of the middle of every code, (spans.width, FEATURES).

    They are 0 for codes that are no places: those of categories, and of missing values.
    """
    places = np.full(spans.width, np.nan, dtype=np.float32)
    for block, start in zip(spans.layout, spans.starts[spans.column].tolist(), strict=True):
        if block.ordinal:
            codes = np.delete(np.arange(block.size), [] if block.missing is None else block.missing)
            places[start + codes] = (np.arange(len(codes)) + 0.5) / max(len(codes), 1)
    found = torch.from_numpy(places).to(spans.device)[:, None]
    return describe(found.nan_to_num()) * ~found.isnan()
