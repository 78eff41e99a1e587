"""Generative models of encoded tables: one file per model."""

from tabsynth.models._completion import MAX_TRIES, Completed, Effort, TooRare
from tabsynth.models.base import HyperParameters, IterativeModel, Model, ModelState, models

__all__ = [
    "MAX_TRIES",
    "Completed",
    "Effort",
    "HyperParameters",
    "IterativeModel",
    "Model",
    "ModelState",
    "TooRare",
    "models",
]
