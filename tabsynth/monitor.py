"""Progress: what long-running phases tell whoever is watching."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """One report of progress.

    Attributes
    ----------
    phase : str
        What is being done, in words ("encoding", "training tvae").
    done, total : int
        Units done and units in all; `total` 0 means that it is not known.
    metrics : mapping of str to float
        Figures of this moment, such as losses.
    """

    phase: str
    done: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)


Monitor = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Do nothing: the monitor of those who do not watch."""
