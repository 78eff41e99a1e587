"""Templates: the shapes in which new keys are written, different ones by construction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabsynth.columns._unlearnt import permuted
from tabsynth.errors import SampleError

DIGIT, LEAD = "0123456789", "123456789"
LOWER, UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHABETS: Mapping[str, str] = {
    "digit": DIGIT,
    "lead": LEAD,
    "lower": LOWER,
    "upper": UPPER,
    "letter": LOWER + UPPER,
    "hex": DIGIT + "abcdef",
    "HEX": DIGIT + "ABCDEF",
    "lower_or_digit": DIGIT + LOWER,
    "upper_or_digit": DIGIT + UPPER,
    "any": DIGIT + LOWER + UPPER,
    "variant": "89ab",
    "VARIANT": "89AB",
}
_NAMES = {letters: name for name, letters in ALPHABETS.items()}
_SIGNS = {"digit": "9", "lead": "9", "lower": "a", "upper": "A", "letter": "a"}
_DRAWN = 1 << 62


@dataclass(frozen=True)
class Template:
    """Texts of one shape.

    Attributes
    ----------
    positions : tuple of str
        The characters allowed at each position; one character is a literal.
    count : int
        How many different texts of the source have the shape.

    Examples
    --------
    >>> template = Template.of("PAT-##")
    >>> template.capacity, template.shape, template.state()
    (100, 'PAT-99', {'count': 1, 'parts': ['PAT-', ['digit', 2]]})
    """

    positions: tuple[str, ...]
    count: int = 1

    @classmethod
    def of(cls, format: str) -> Template:
        """Return the template of a format: # is a digit, ? an upper-case letter."""
        return cls(tuple({"#": DIGIT, "?": UPPER}.get(letter, letter) for letter in format))

    @property
    def capacity(self) -> int:
        """How many different texts it can make."""
        return math.prod(len(alphabet) for alphabet in self.positions)

    @property
    def shape(self) -> str:
        """The shape in words a reader knows: 9 a digit, a and A letters, * any of them."""
        return "".join(
            letters if len(letters) == 1 else _SIGNS.get(_NAMES.get(letters, ""), "*")
            for letters in self.positions
        )

    @property
    def skeleton(self) -> str:
        """The shape with letters and digits all alike; texts of different ones are different."""
        return "".join(
            "x" if len(letters) > 1 or letters.isalnum() else letters for letters in self.positions
        )

    def widened(self) -> Template | None:
        """Return the template with one digit more, None where it has no number in it."""
        digits = [i for i, letters in enumerate(self.positions) if letters in (DIGIT, LEAD)]
        if not digits:
            return None
        end = digits[-1] + 1
        return replace(self, positions=(*self.positions[:end], DIGIT, *self.positions[end:]))

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        parts: list[Any] = []
        for letters in self.positions:
            name = _NAMES.get(letters)
            if name is None and len(letters) > 1:
                name = f"={letters}"
            if name is None:
                if parts and isinstance(parts[-1], str):
                    parts[-1] += letters
                else:
                    parts.append(letters)
            elif parts and isinstance(parts[-1], list) and parts[-1][0] == name:
                parts[-1][1] += 1
            else:
                parts.append([name, 1])
        return {"count": self.count, "parts": parts}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Template:
        """Rebuild from the JSON form."""
        positions: list[str] = []
        for part in state["parts"]:
            if isinstance(part, str):
                positions += part
            else:
                name, size = part
                positions += [name[1:] if name.startswith("=") else ALPHABETS[name]] * size
        return cls(tuple(positions), state["count"])

    def make(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` different texts, `str` array of shape (n,); `n` is at most the capacity."""
        length = len(self.positions)
        chars = np.zeros((n, length), dtype=np.uint32)
        space, start = 1, length
        while start and space * len(self.positions[start - 1]) <= _DRAWN:
            start -= 1
            space *= len(self.positions[start])
        index = permuted(space, n, rng)
        for i in range(length - 1, -1, -1):
            if len(self.positions[i]) == 1:
                chars[:, i] = ord(self.positions[i])
                continue
            table = np.array([ord(letter) for letter in self.positions[i]], dtype=np.uint32)
            if i >= start:
                index, digit = np.divmod(index, len(table))
            else:
                digit = rng.integers(len(table), size=n)
            chars[:, i] = table[digit]
        return chars.view(f"U{max(length, 1)}").reshape(n)


def capacity(templates: Sequence[Template], *, widen: bool = True) -> int | None:
    """Return how many different texts the templates make, None where numbers in them can grow."""
    if widen and any(template.widened() for template in templates):
        return None
    return sum(template.capacity for template in templates)


def generate(
    templates: Sequence[Template],
    n: int,
    rng: np.random.Generator,
    *,
    column: str,
    widen: bool = True,
) -> list[str]:
    """Return `n` different texts in the shapes of `templates`, in proportion to their counts.

    Where the shapes do not suffice, the number in the commonest shape that has one grows.

    Raises
    ------
    SampleError
        If there are not so many texts: how many there are and what to do.
    """
    templates = list(templates)
    most = capacity(templates, widen=widen)
    if most is not None and most < n:
        shapes = ", ".join(template.shape for template in templates[:3])
        raise SampleError(
            f"Column {column!r}: only {most:,} different keys have the shape {shapes}; {n:,} are "
            f"needed. Ask for at most {most:,} rows, or set unique: false in the schema."
        )
    while sum(template.capacity for template in templates) < n:
        at = next(i for i, template in enumerate(templates) if template.widened())
        others = {t.skeleton for i, t in enumerate(templates) if i != at}
        wider = templates[at].widened()
        while wider is not None and wider.skeleton in others:
            wider = wider.widened()
        assert wider is not None
        templates[at] = wider
    shares = allot(n, [t.count for t in templates], [t.capacity for t in templates])
    texts = [t.make(m, rng).tolist() for t, m in zip(templates, shares, strict=True)]
    made = np.array([text for group in texts for text in group], dtype=object)
    mixed: list[str] = rng.permutation(made).tolist()
    return mixed


def allot(n: int, weights: Sequence[int], capacities: Sequence[int]) -> list[int]:
    """Divide `n` in proportion to `weights`, no share above its capacity.

    Examples
    --------
    >>> allot(10, [8, 2], [100, 100]), allot(10, [8, 2], [5, 100])
    ([8, 2], [5, 5])
    """
    shares = [0] * len(weights)
    while left := n - sum(shares):
        free = [i for i, share in enumerate(shares) if share < capacities[i]]
        total = sum(weights[i] for i in free)
        exact = {i: left * weights[i] / total for i in free}
        extra = left - sum(int(part) for part in exact.values())
        order = sorted(free, key=lambda i: int(exact[i]) - exact[i])
        wanted = {i: int(exact[i]) + (rank < extra) for rank, i in enumerate(order)}
        for i in free:
            shares[i] = min(shares[i] + wanted[i], capacities[i])
    return shares
