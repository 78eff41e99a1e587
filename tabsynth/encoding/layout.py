"""Block and Layout: what every encoded column means, which is all that a model needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Block:
    """One integer code in ``[0, size)`` and, inside some codes, an offset in ``[-1, 1]``.

    Attributes
    ----------
    owner : str
        Name of the table column that this block codes.
    size : int
        Number of codes K, the one reserved for missing values included.
    continuous : tuple of bool
        For each code, whether an offset goes with it; empty where no code has one.
    ordinal : bool
        Whether neighbouring codes mean neighbouring values (the missing code aside).
    missing : int or None
        The code reserved for missing values, if the block has one.
    parent : int or None
        Index, in the layout, of the block that this one refines (a fine bin inside a coarse one).
        Rows whose parent code is no refined one carry code 0 here, and it means nothing.
    refined : tuple of bool
        On a block that has such a child: for each code, whether the child refines it.
    """

    owner: str
    size: int
    continuous: tuple[bool, ...] = ()
    ordinal: bool = False
    missing: int | None = None
    parent: int | None = None
    refined: tuple[bool, ...] = ()

    @property
    def has_offset(self) -> bool:
        """Whether any code carries an offset."""
        return any(self.continuous)

    @property
    def is_nominal(self) -> bool:
        """Whether the codes have no order."""
        return not self.ordinal and not self.has_offset

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "owner": self.owner,
            "size": self.size,
            "continuous": [int(flag) for flag in self.continuous],
            "ordinal": self.ordinal,
            "missing": self.missing,
            "parent": self.parent,
            "refined": [int(flag) for flag in self.refined],
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Block:
        """Rebuild from the JSON form."""
        return cls(
            owner=state["owner"],
            size=state["size"],
            continuous=tuple(bool(flag) for flag in state["continuous"]),
            ordinal=state["ordinal"],
            missing=state["missing"],
            parent=state["parent"],
            refined=tuple(bool(flag) for flag in state["refined"]),
        )


@dataclass(frozen=True)
class Layout:
    """The blocks of an encoded table, in order.

    Attributes
    ----------
    blocks : tuple of Block

    Examples
    --------
    >>> layout = Layout((Block("age", 3, continuous=(True, True, False)), Block("sex", 2)))
    >>> layout.sizes.tolist(), layout.starts.tolist(), layout.offset_blocks.tolist()
    ([3, 2], [0, 3], [0])
    """

    blocks: tuple[Block, ...]

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def __getitem__(self, index: int) -> Block:
        return self.blocks[index]

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of codes of each block, int64 of shape (n_blocks,)."""
        return np.array([block.size for block in self.blocks], dtype=np.int64)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each block begins in a vector of all codes side by side, int64 (n_blocks,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)[: len(self)]

    @property
    def width(self) -> int:
        """Number of codes of all blocks together."""
        return int(self.sizes.sum())

    @cached_property
    def offset_blocks(self) -> np.ndarray:
        """Indices of the blocks that have offsets, in the order of the columns of `offsets`."""
        return np.flatnonzero([block.has_offset for block in self.blocks])

    @cached_property
    def slots(self) -> dict[int, int]:
        """Column of `offsets` of each block that has one."""
        return {int(block): slot for slot, block in enumerate(self.offset_blocks)}

    @cached_property
    def continuous(self) -> np.ndarray:
        """Whether an offset goes with each code, all blocks side by side, bool (width,)."""
        flags = [
            np.array(block.continuous or (False,) * block.size, dtype=bool) for block in self.blocks
        ]
        return np.concatenate(flags) if flags else np.zeros(0, dtype=bool)

    def owned_by(self, column: str) -> list[int]:
        """Return the indices of the blocks that code `column`."""
        return [index for index, block in enumerate(self.blocks) if block.owner == column]

    def to_list(self) -> list[dict[str, Any]]:
        """Return the JSON form."""
        return [block.to_dict() for block in self.blocks]

    @classmethod
    def from_list(cls, state: Sequence[dict[str, Any]]) -> Layout:
        """Rebuild from the JSON form."""
        return cls(tuple(Block.from_dict(block) for block in state))
