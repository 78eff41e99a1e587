"""Redraw: a column is drawn again, told by all others, once all others are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.layout import Block, Layout
from tabsynth.models.trees.alphabet import Alphabet
from tabsynth.models.trees.bag import Bag
from tabsynth.models.trees.grow import Growth, grow, some_leaves
from tabsynth.models.trees.guess import FOLDS, Guess, shares
from tabsynth.models.trees.inputs import MOST_CLASSES, column_of, targets_of

FEWEST = 30
"""A class of fewer rows is not redrawn, and nothing is redrawn to it."""
PREFIX = "guess"


@dataclass(frozen=True, eq=False)
class Redraw:
    """How one block is drawn again, given all others.

    Boosted trees guess it better than a few trees tell it, since they are many; what is drawn is
    not the guess but what rows guessed alike hold. A category, or one of few values that a number
    can have, is drawn from how likely each is; any other number from the leaves of a bag that asks
    about the guess besides all else. Cells without a value and rare categories stay as they were
    drawn, and nothing is redrawn to them, which leaves their shares as they are.

    Attributes
    ----------
    block : int
        Which one.
    guess : Guess
    classes : ndarray of int32
        The letters that are redrawn, where each is drawn from how likely it is.
    bag : Bag or None
        What numbers are drawn from otherwise.
    """

    block: int
    guess: Guess
    classes: np.ndarray
    bag: Bag | None

    @classmethod
    def fit(
        cls,
        layout: Layout,
        block: int,
        columns: np.ndarray,
        codes: np.ndarray,
        alphabet: Alphabet,
        letters: np.ndarray,
        predictors: np.ndarray,
        rounds: int,
        count: int,
        size: int,
        growth: Growth,
        rng: np.random.Generator,
    ) -> Self | None:
        """Learn to redraw a block, or return None where it cannot be.

        Parameters
        ----------
        layout : Layout
        block : int
        columns : ndarray of float32, shape (n_blocks, n_rows)
            As `column_of` gives them.
        codes, letters : ndarray of int32, shape (n_rows,)
            Of the block.
        alphabet : Alphabet
        predictors : ndarray of int32
            Blocks that it is told by.
        rounds : int
            Most rounds of boosting.
        count : int
            Trees of the bag.
        size : int
            Rows that each is grown on, where there are several.
        growth : Growth
        rng : Generator
        """
        own = layout[block]
        absent = np.zeros(len(alphabet), dtype=bool)
        if own.missing is not None and not own.is_nominal:
            absent = alphabet.code == own.missing
        exact = alphabet.low == alphabet.high
        frequent = np.bincount(letters, minlength=len(alphabet)) >= FEWEST
        classes = np.flatnonzero(frequent & exact & ~absent).astype(np.int32)
        few = 2 <= len(classes) <= MOST_CLASSES and bool((exact | absent).all())
        if few:
            rows = np.flatnonzero(np.isin(letters, classes))
            wanted = np.searchsorted(classes, letters[rows])
            targets = np.eye(len(classes))[wanted]
        elif own.is_nominal:
            return None
        else:
            classes, wanted = classes[:0], None
            rows = np.flatnonzero(~absent[letters])
            if len(rows) < FEWEST or np.ptp(columns[block][rows]) == 0:
                return None
            some = columns[:, rows]
            targets = targets_of(own, codes[rows], some[block], some[predictors])
        some = columns[:, rows]
        guess, guesses = Guess.fit(
            layout, some, predictors, targets, wanted, rounds, growth.leaf, rng
        )
        bag = None
        if wanted is None:
            wide, asked, beside = _beside(layout, predictors, guesses)
            n = len(rows)
            most = n if count == 1 else size
            samples = [np.sort(rng.permutation(n)[:most]) for _ in range(count)]
            joined = np.concatenate([some, beside])
            bag = grow(wide, joined, asked, targets, letters[rows], alphabet, samples, rng, growth)
        return cls(block, guess, classes, bag)

    def draw(
        self,
        layout: Layout,
        columns: np.ndarray,
        codes: np.ndarray,
        alphabet: Alphabet,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the block of some rows again.

        Parameters
        ----------
        layout : Layout
        columns : ndarray of float32, shape (n_blocks, n_rows)
        codes : ndarray of int32, shape (n_rows,)
            Of the block, as it was drawn.
        alphabet : Alphabet
        rng : Generator

        Returns
        -------
        rows : ndarray of int64
            Which rows are drawn again.
        codes : ndarray of int32
        offsets : ndarray of float32
        """
        own, shown = layout[self.block], columns[self.block]
        if self.bag is None:
            letters = alphabet.code[self.classes], alphabet.low[self.classes]
            values = column_of(own, letters[0], letters[1] if own.has_offset else None)
            rows = np.flatnonzero(np.isin(shown, values))
        else:
            rows = np.flatnonzero(codes != (-1 if own.missing is None else own.missing))
        some = columns[:, rows]
        guesses = self.guess.of(layout, some, rng.integers(0, FOLDS, len(rows)))
        if self.bag is None:
            upto = np.cumsum(shares(guesses), axis=1)
            place = (rng.random((len(rows), 1)) * upto[:, -1:] >= upto).sum(axis=1)
            place = np.minimum(place, len(self.classes) - 1)
            return rows, letters[0][place], letters[1][place]
        wide, _, beside = _beside(layout, self.guess.predictors, guesses)
        joined, bag = np.concatenate([some, beside]), self.bag
        return rows, *alphabet.read(bag.draw(some_leaves(wide, joined, bag, rng), rng))

    def tensors(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        found = self.guess.tensors(f"{prefix}.{PREFIX}") | {f"{prefix}.classes": self.classes}
        return found if self.bag is None else found | self.bag.tensors(f"{prefix}.trees")

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], prefix: str, block: int) -> Self:
        """Rebuild from the arrays."""
        guess, classes = Guess.load(tensors, f"{prefix}.{PREFIX}"), tensors[f"{prefix}.classes"]
        bag = None if len(classes) else Bag.load(tensors, f"{prefix}.trees")
        return cls(block, guess, classes, bag)


def _beside(
    layout: Layout, predictors: np.ndarray, guesses: np.ndarray
) -> tuple[Layout, np.ndarray, np.ndarray]:
    """Return a layout with a block for each guess, what to ask about, and the guesses' columns."""
    many = guesses.shape[1]
    added = tuple(Block(PREFIX, 1, ordinal=True) for _ in range(many))
    places = np.arange(len(layout), len(layout) + many, dtype=np.int32)
    asked = np.concatenate([places, predictors]).astype(np.int32)
    return Layout((*layout.blocks, *added)), asked, guesses.T.astype(np.float32)
