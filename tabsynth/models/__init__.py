"""Generative models of encoded tables: one file per model."""

from tabsynth.models.base import HyperParameters, IterativeModel, Model, ModelState, models

__all__ = ["HyperParameters", "IterativeModel", "Model", "ModelState", "models"]
