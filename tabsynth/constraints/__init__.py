"""Rules between columns that hold by construction: one file per rule."""

from tabsynth.constraints.base import Constraint, constraints, read_constraints

__all__ = ["Constraint", "constraints", "read_constraints"]
