"""The coding of a table under a privacy budget: declared, or bought with noise; never read off."""

from tabsynth.noisy.codec import Noisy, noisy_codec
from tabsynth.noisy.declared import private_schema

__all__ = ["Noisy", "noisy_codec", "private_schema"]
