"""Random numbers that belong to a row: a function of what it holds, of a seed and of the step."""

from __future__ import annotations

import numpy as np
import torch

GOLDEN = -7046029254386353131
"""2**64 over the golden ratio, as a signed number."""
FACTORS = (-4658895280553007687, -7723592293110705685)


class RowChance:
    """Random numbers for rows, of which none depends on the other rows of a batch.

    Under a privacy budget the gradient of a row must be a function of this row alone. Numbers that
    a generator draws for one row after another are not: with a row more, all rows after it get
    other ones, so that sums of gradients differ by far more than one row's. Here every code has a
    random key, the keys of a row are added up, and the sum is mixed with the step. Rows that are
    equal get equal numbers.

    Parameters
    ----------
    width : int
        Number of positions of codes.
    seed : Generator
        Draws the keys; need not be secret.
    device : device

    Attributes
    ----------
    step : int
        Of the training; see `goes_on`.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014,
    doi:10.1145/2714064.2660195 (the mixing).

    Examples
    --------
    >>> chance = RowChance(4, torch.Generator().manual_seed(0), torch.device("cpu"))
    >>> two = chance.uniform(torch.tensor([[0, 2], [1, 3]]), 5)
    >>> bool((chance.uniform(torch.tensor([[1, 3]]), 5) == two[1]).all())
    True
    """

    def __init__(self, width: int, seed: torch.Generator, device: torch.device) -> None:
        keys = torch.empty(max(width, 1), dtype=torch.int64, device=seed.device)
        self.keys = keys.random_(-(2**63), None, generator=seed).to(device)
        self.step = 0

    def goes_on(self, step: int) -> None:
        """Note that a step was taken, so that rows get other numbers in the next one."""
        self.step = step + 1

    def uniform(self, index: torch.Tensor, n: int) -> torch.Tensor:
        """Return numbers above 0 and below 1, float32 (n_rows, n).

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
            Positions of the codes of rows.
        n : int
            Numbers a row.
        """
        own = self.keys[index.long()].sum(1)
        first = self.step * n + 1
        places = np.arange(first, first + n, dtype=np.uint64) * np.uint64(GOLDEN % 2**64)
        bits = own[:, None] + torch.from_numpy(places.view(np.int64)).to(own.device)
        for shift, factor in zip((30, 27), FACTORS, strict=True):
            bits = (bits ^ _shifted(bits, shift)) * factor
        bits = bits ^ _shifted(bits, 31)
        levels: torch.Tensor = (_shifted(bits, 41).float() + 0.5) * 2.0**-23
        return levels

    def normal(self, index: torch.Tensor, n: int) -> torch.Tensor:
        """Return standard normal numbers, float32 (n_rows, n)."""
        draws: torch.Tensor = torch.special.ndtri(self.uniform(index, n))
        return draws


def _shifted(bits: torch.Tensor, by: int) -> torch.Tensor:
    """Return 64 bits moved to the right, filled with zeros."""
    moved: torch.Tensor = (bits >> by) & (2 ** (64 - by) - 1)
    return moved
