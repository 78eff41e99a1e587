"""Column types: one file per type, each knowing how to recognise, learn and write its values."""

from tabsynth.columns._unlearnt import UnlearntCodec
from tabsynth.columns.base import Claim, ColumnCodec, ColumnType, Profile, Values, columns

__all__ = [
    "Claim",
    "ColumnCodec",
    "ColumnType",
    "Profile",
    "UnlearntCodec",
    "Values",
    "columns",
]
