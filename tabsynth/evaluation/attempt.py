"""attempt: what may fail without ending an evaluation."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tabsynth.errors import TabsynthError

logger = logging.getLogger("tabsynth")

PACKAGE = Path(__file__).parents[1]

T = TypeVar("T")


def attempt(compute: Callable[[], T]) -> tuple[T | None, str]:
    """Return what `compute` returns, or None and why it failed, in words that show no cell.

    A `TabsynthError` is quoted. Of any other error only the class and the place are: its text may
    hold cells of the table.

    Examples
    --------
    >>> attempt(lambda: 2)
    (2, '')
    """
    try:
        return compute(), ""
    except TabsynthError as error:
        return None, str(error)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
        where = (ours or frames[:1])[-1].name
        logger.error("A computation failed: %s in %s", type(error).__name__, where)
        return None, f"The computation failed ({type(error).__name__} in {where})."
