"""Named random streams that grow from one seed; global random state is never touched."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    import torch


class Streams:
    """A family of independent random generators, addressed by name.

    The same seed and the same names always give the same generators, in whatever order they are
    asked for, so that adding a stream somewhere does not change any other one.

    Parameters
    ----------
    seed : int, optional
        Non-negative. Without one a seed is drawn from the operating system and kept in `seed`,
        so that it can be printed and stored.
    path : tuple of str
        Names that led to this family; used by `child`.

    Attributes
    ----------
    seed : int
        The seed of the whole family.

    Examples
    --------
    >>> int(Streams(7).numpy("codec").integers(100)), int(Streams(7).numpy("codec").integers(100))
    (61, 61)
    >>> Streams(7).child("fit").integer("a") == Streams(7).integer("a")
    False
    """

    def __init__(self, seed: int | None = None, path: tuple[str, ...] = ()) -> None:
        if seed is None:
            seed = secrets.randbelow(2**32)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ConfigError(f"seed must be a non-negative integer. Got {seed!r}.")
        self.seed = int(seed)
        self.path = path

    def __repr__(self) -> str:
        return f"Streams(seed={self.seed}, path={self.path!r})"

    def child(self, name: str) -> Streams:
        """Return the family below `name`."""
        return Streams(self.seed, (*self.path, name))

    def integer(self, name: str) -> int:
        """Return a fixed 63-bit integer for `name`, to seed a generator of another library."""
        text = "\x1f".join((str(self.seed), *self.path, name)).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1

    def numpy(self, name: str) -> np.random.Generator:
        """Return a fresh NumPy generator for `name`."""
        return np.random.Generator(np.random.PCG64(self.integer(name)))

    def torch(self, name: str, device: str = "cpu") -> torch.Generator:
        """Return a fresh torch generator for `name` on `device`."""
        import torch

        return torch.Generator(device=device).manual_seed(self.integer(name))
