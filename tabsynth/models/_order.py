"""In which order a model that learns block after block takes them."""

from __future__ import annotations

from collections.abc import Sequence

from tabsynth.encoding.layout import Layout


def order_blocks(layout: Layout, targets: Sequence[str]) -> list[int]:
    """Return the blocks in the order in which they are drawn.

    Those of the targets come first, then all others as they stand in the table; blocks that refine
    another one follow it.

    Examples
    --------
    >>> from tabsynth.encoding.layout import Block, Layout
    >>> layout = Layout((Block("age", 3), Block("sex", 2), Block("ill", 2)))
    >>> order_blocks(layout, ["ill"])
    [2, 0, 1]
    """
    finer: dict[int | None, list[int]] = {}
    for number, block in enumerate(layout):
        finer.setdefault(block.parent, []).append(number)
    roots = finer.get(None, [])
    first = [number for name in targets for number in roots if layout[number].owner == name]
    order: list[int] = []
    waiting = list(dict.fromkeys([*first, *roots]))[::-1]
    while waiting:
        number = waiting.pop()
        order.append(number)
        waiting += finer.get(number, [])[::-1]
    return order
