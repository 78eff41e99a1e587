from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.triples import MOST_TRIPLES, triples
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

ABC = Schema(tuple(Column(name, "category") for name in "abc"))


def scores(name, train, synthetic, schema, holdout=None):
    """Return the scores of a measure by name, none where it is not planned."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    comparison = Comparison.of(
        analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema
    )
    planned = measures.get(name).plan(comparison)
    return {score.name: score for kind in planned for score in kind.measure(comparison)}


def parity(odd):
    """Return 400 rows of three bits: every pair of bits is uniform, their sum is even or any."""
    bits = [(i, j, k) for i in "01" for j in "01" for k in "01"]
    rows = [row for row in bits if odd or row.count("1") % 2 == 0]
    return pd.DataFrame(rows * (400 // len(rows)), columns=list("abc"))


@pytest.mark.parametrize("n", [3, 4, 9, 40])
def test_every_triple_has_one_rank(n):
    wanted = set(combinations(range(n), 3))
    assert {tuple(row) for row in triples(np.arange(len(wanted))).tolist()} == wanted


def test_what_only_three_columns_together_show_is_seen_and_pairs_do_not_see_it():
    real, other = parity(odd=False), parity(odd=True)
    assert scores("tvd_2way", real, other, ABC)["tvd_2way"].value == 0
    score = scores("tvd_3way", real, other, ABC, holdout=real)["tvd_3way"]
    assert score.value == 0.5
    assert score.reference == 0
    assert score.baseline == pytest.approx(0.5, abs=0.1)
    assert score.details["worst"] == [["a", "b", "c", 0.5]]


def test_the_distance_of_tiny_tables_is_half_the_sum_of_differences():
    real = pd.DataFrame({"a": list("xxyy"), "b": list("pppp"), "c": list("uvuv")})
    other = pd.DataFrame({"a": list("xxxy"), "b": list("pppq"), "c": list("uuuv")})
    # xpu 1/4 against 3/4, xpv, ypu and ypv 1/4 against 0, yqv 0 against 1/4.
    assert scores("tvd_3way", real, other, ABC)["tvd_3way"].value == 0.75


def test_two_columns_have_no_triples_and_the_score_says_so():
    real = parity(odd=True)[["a", "b"]]
    score = scores("tvd_3way", real, real, Schema(ABC.columns[:2]))["tvd_3way"]
    assert score.value is None
    assert score.problem == "Only 2 columns are compared, so there are no triples."


def test_of_many_triples_a_fixed_number_is_drawn_and_stated():
    rng = Streams(1).numpy("many")
    frame = pd.DataFrame({f"c{k:02}": rng.integers(0, 3, 200).astype(str) for k in range(20)})
    schema = Schema(tuple(Column(name, "category") for name in frame))
    score = scores("tvd_3way", frame, frame, schema)["tvd_3way"]
    assert score.value == 0
    assert (score.details["measured"], score.details["of"]) == (MOST_TRIPLES, 1140)


def test_missing_cells_are_a_value_of_their_own():
    real = parity(odd=True)
    other = real.assign(a=real["a"].where(real["b"] == "0", ""))
    # Half of the rows move to combinations that do not occur in the real rows.
    assert scores("tvd_3way", real, other, ABC)["tvd_3way"].value == 0.5
