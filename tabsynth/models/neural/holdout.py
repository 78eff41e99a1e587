"""Rows held out: which rows a training only watches."""

from __future__ import annotations

import torch

from tabsynth.errors import ConfigError

FEWEST = 20
"""Rows held out at least, where they are asked for."""
USUALLY = 50
"""Rows held out at least where nothing is said; none where these were more than a fifth."""


def hold_out(
    n_rows: int, share: float | None, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers of the rows that are held out, and of those that are not.

    Parameters
    ----------
    n_rows : int
    share : float or None
        Of the rows; None takes a twentieth where there are enough rows.
    generator : torch.Generator
        On the device where the numbers are wanted.

    Raises
    ------
    ConfigError
        If the share asked for is of too few rows to judge by.
    """
    device = generator.device
    if share is None:
        count = max(USUALLY, n_rows // 20) if n_rows >= 5 * USUALLY else 0
    else:
        count = round(share * n_rows)
        if share and count < FEWEST:
            raise ConfigError(
                f"held_out = {share} of {n_rows:,} rows are {count}; at least {FEWEST} are needed "
                "to judge by. Raise it, or set it to 0."
            )
    if not count:
        return torch.arange(0, device=device), torch.arange(n_rows, device=device)
    order = torch.randperm(n_rows, generator=generator, device=device)
    return order[:count], order[count:]
