"""How a model wants numbers coded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tabsynth.errors import ConfigError

Kind = Literal["modes", "bins", "scalar"]
KINDS: tuple[Kind, ...] = ("modes", "bins", "scalar")


@dataclass(frozen=True)
class Coding:
    """A model's wish for the coding of numbers (dates and durations are numbers here).

    Attributes
    ----------
    kind : {"modes", "bins", "scalar"}
        ``modes``: component of a Gaussian mixture + scaled offset (mode-specific normalisation,
        Xu et al. 2019). ``bins``: quantile bin + position inside the bin, bins in the order of
        their values. ``scalar``: one code for all ordinary values + one scaled value.
    size : int
        Most mixture components (`modes`) or quantile bins (`bins`) a column gets. Atoms and the
        code of missing values come on top.
    sub_bins : int
        `bins` only: where above 1, a bin is cut into this many parts, told by a second block.
    distinct : int
        `bins` only: a number with at most this many distinct values gets a code a value instead
        (values held by few rows share one).

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503.

    Examples
    --------
    >>> Coding("bins", size=32).kind
    'bins'
    """

    kind: Kind = "bins"
    size: int = 64
    sub_bins: int = 1
    distinct: int = 128

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"coding must be one of {', '.join(KINDS)}. Got {self.kind!r}.")
        if self.size < 1 or self.sub_bins < 1 or self.distinct < 0:
            raise ConfigError("size and sub_bins of a coding must be at least 1, distinct 0.")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Coding:
        """Rebuild from the JSON form."""
        return cls(**state)
