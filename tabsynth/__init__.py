"""Synthetic tables that keep what a real table is good for, with the evidence for privacy."""

__version__ = "0.1.0"
