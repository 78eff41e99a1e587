"""The canonical encoding: small integer codes and bounded offsets, described by a layout."""

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Block, Layout
from tabsynth.encoding.table import EncodedTable

__all__ = ["Block", "Coding", "EncodedTable", "Given", "Layout"]
