"""Membership attacks: who was among the training rows, told from the synthetic rows alone."""

from tabsynth.evaluation.attacks.base import Attack, Scene, attacks

__all__ = ["Attack", "Scene", "attacks"]
