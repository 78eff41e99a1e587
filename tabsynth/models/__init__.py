"""Generative models of encoded tables: one file per model."""

from tabsynth.models.base import HyperParameters, Model, ModelState, models

__all__ = ["HyperParameters", "Model", "ModelState", "models"]
