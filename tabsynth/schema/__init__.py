"""What a table is: columns, types, roles, and how they were inferred."""

from tabsynth.schema.schema import ROLES, Column, Schema

__all__ = ["ROLES", "Column", "Schema"]
