"""Tables in and out of files: one module per format, chosen by the suffix of the file."""

from tabsynth.io.atomic import atomic_path, check_output
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter
from tabsynth.io.tables import find_format, iter_table, open_writer, read_table, write_table

__all__ = [
    "FORMATS",
    "Format",
    "ReadOptions",
    "TableFile",
    "TableWriter",
    "atomic_path",
    "check_output",
    "find_format",
    "iter_table",
    "open_writer",
    "read_table",
    "write_table",
]
