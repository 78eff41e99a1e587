"""Audits from outside: two tables that differ by one row, many releases of each, and a guess.

Each mechanism is run on both tables. Half of the runs decide by what rule the tables are told
apart; the others say how well that works, which bounds epsilon from below at level 0.01. It has to
stay below what the ledger claims. The same audit finds mutants out.
"""

from __future__ import annotations

import math
from copy import copy
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from tabsynth import fitting
from tabsynth.audit.learner import Rule
from tabsynth.columns import columns
from tabsynth.encoding import EncodedTable
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Block, Layout
from tabsynth.models import models
from tabsynth.models.marginals import selection
from tabsynth.noisy import noisy_codec, private_schema
from tabsynth.noisy.continuous import scaled, with_parameters
from tabsynth.noisy.nominal import buy_labels
from tabsynth.privacy import histogram
from tabsynth.privacy.accounting import zcdp_rho
from tabsynth.privacy.audit import many_run_epsilon
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.cells import declared, powers
from tabsynth.privacy.counting import Counts, counted
from tabsynth.privacy.histogram import Buyer
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

EPSILON, DELTA, ALPHA = 1.0, 1e-5, 0.01
RHO = zcdp_rho(EPSILON, DELTA)
RUNS = 1000
"""Of each table; half of them decide the rule."""


class Silent(Noise):
    """A mutant: no noise, and no chance in choices."""

    def counts(self, counts, sigma):
        """Return what came in."""
        return counts

    def choose(self, scores, epsilon, sensitivity):
        """Return the best."""
        return int(np.argmax(scores))


class Tenth(Noise):
    """A mutant: a tenth of the noise."""

    def counts(self, counts, sigma):
        """Add too little."""
        return super().counts(counts, sigma / 10)

    def choose(self, scores, epsilon, sensitivity):
        """Choose too well."""
        return super().choose(scores, 10 * epsilon, sensitivity)


MUTANTS = {"no noise": Silent, "noise over ten": Tenth}


class Account(Ledger):
    """A ledger that writes everything down and refuses nothing."""

    def debit(self, *spends):
        """Write down."""
        self.spends += spends


def told_apart(release, tables, noise=Noise, runs=RUNS) -> tuple[float, float]:
    """Return the lower bound on epsilon, and the claim.

    `release` takes a table, a ledger and noise, and returns numbers that are as many for any table.
    """
    claims, sides = set(), []
    for place, table in enumerate(tables):
        features = []
        for run in range(runs):
            ledger = Account(PrivacyBudget(EPSILON, DELTA))
            features.append(np.atleast_1d(release(table, ledger, noise(2 * run + place))))
            if run == 0:
                claims.add(round(ledger.epsilon(), 9))
        sides.append(np.array(features, dtype=np.float64))
    # What is claimed must not differ between the tables.
    (claim,) = claims
    half = runs // 2
    inside = np.repeat([True, False], half)
    first = np.concatenate([side[:half] for side in sides])
    rule = Rule.learn(first, inside, Streams(1).numpy("folds"), DELTA)
    said = [int((rule.scores(side[half:]) > rule.threshold).sum()) for side in sides]
    counts = said[0], runs - half, said[1], runs - half
    return many_run_epsilon(*counts, alpha=ALPHA, delta=DELTA), claim


# Mechanisms of the coding, each by itself at epsilon 1.


def rows(table, ledger, noise):
    """Return the noisy number of rows."""
    return fitting.noisy_rows(len(table), RHO, ledger, noise)


def bounds(table, ledger, noise):
    """Return the bounds that are found, and the counts of the cells around the odd row."""
    numbers, missing = np.asarray(table, dtype=np.float64), np.zeros(len(table), dtype=bool)
    buyer = Buyer(ledger, noise)
    found = histogram.bounds("bounds", numbers, missing, True, (0, None), RHO, buyer)
    if found is None:
        return [0.0, 0.0, 0.0]
    held = found.counts[(found.low <= 5000) & (found.high >= 5000)]
    return [found.high[-1], held.sum(), found.counts.sum()]


def cells(table, ledger, noise):
    """Return the noisy counts of few whole numbers."""
    numbers, missing = np.asarray(table, dtype=np.float64), np.asarray(table) < 0
    before, buyer = declared(0.0, 5.0, True), Buyer(ledger, noise)
    found = histogram.cells("cells", numbers, missing, before, 40, RHO, buyer)
    return [*found.counts, found.missing]


@lru_cache
def read(name, table, **given):
    """Return a column type and what it reads of texts, once for all runs."""
    kind = columns.get(name)(Column("x", name, parameters=given, dtype="str"))
    series = pd.Series(table, dtype="str", name="x")
    return kind, series, kind.read(series)


def labels(listed):
    """Return what buys labels that are declared, or not."""

    def release(table, ledger, noise):
        kind, _, values = read("category", table)
        if listed:
            kind = with_parameters(kind, categories=["a", "b", "c"])
        delta = 0.0 if listed else DELTA / 2
        bought = buy_labels(kind, values, 60, Coding(), RHO, delta, Buyer(ledger, noise))
        counts = bought.counts[0][0]
        if listed:
            return [counts[2], counts[:2].sum()]
        shown = [str(label) for label in bought.column.parameters["categories"]]
        return [float("c" in shown), *(counts[shown.index("a")] if "a" in shown else 0.0,)]

    return release


def decimals(table, ledger, noise):
    """Return how many decimals a vote gives."""
    kind, series, values = read("number", table)
    votes = cast_votes(table)
    voting = copy(kind)
    voting.decimals_of = lambda *_: votes
    found, scale = scaled(voting, series, values, RHO, Buyer(ledger, noise))
    more = scale.decimals if scale.decimals is not None else 20
    return [more, *found.column.get("places", [0, 0])]


@lru_cache
def cast_votes(table):
    """Return the decimals of each cell."""
    kind, series, values = read("number", table)
    return kind.decimals_of(series, values)


EDGE = math.ceil(
    histogram.sigma_of(RHO)
    * -NormalDist().inv_cdf(histogram.FALSE_POSITIVES / len(powers(True)[0]))
)
PLAIN = ("a",) * 30 + ("b",) * 30
MECHANISMS = {
    "number of rows": (rows, [0] * 41, [0] * 40),
    # The cell of 5000 has as many rows as it takes to pass, and one row less.
    "bounds": (bounds, [3] * 40 + [5000] * EDGE, [3] * 40 + [5000] * (EDGE - 1)),
    "cells": (cells, [*range(6)] * 6 + [3], [*range(6)] * 6),
    "missing cells": (cells, [*range(6)] * 6 + [-1], [*range(6)] * 6),
    "labels that are declared": (labels(True), (*PLAIN, "c"), PLAIN),
    "labels that are not": (labels(False), (*PLAIN, "c"), PLAIN),
    "decimals": (decimals, ("1.25",) * 40 + ("1.2345678",), ("1.25",) * 40),
}


SLOW = [pytest.param(n, marks=pytest.mark.audit if "labels" in n else ()) for n in MECHANISMS]


@pytest.mark.parametrize("name", SLOW)
def test_a_mechanism_tells_tables_apart_no_better_than_it_claims(name):
    release, *tables = MECHANISMS[name]
    bound, claim = told_apart(release, tables)
    assert 0.9 < claim <= EPSILON * (1 + 1e-6)
    assert bound <= claim


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("name", ["number of rows", "cells", "missing cells", "bounds"])
def test_a_mechanism_with_too_little_noise_is_found_out(name, mutant):
    release, *tables = MECHANISMS[name]
    bound, claim = told_apart(release, tables, MUTANTS[mutant], runs=500)
    assert bound > claim


@pytest.mark.audit
@pytest.mark.parametrize("mutant", MUTANTS)
def test_labels_with_too_little_noise_are_found_out(mutant):
    release, *tables = MECHANISMS["labels that are declared"]
    bound, claim = told_apart(release, tables, MUTANTS[mutant])
    assert bound > claim


def test_labels_without_a_threshold_are_found_out(monkeypatch):
    monkeypatch.setattr(histogram, "threshold", lambda sigma, delta: -(10**9))
    release, *tables = MECHANISMS["labels that are not"]
    bound, claim = told_apart(release, tables, runs=500)
    assert bound > claim


# Seven decimals are believed from four standard deviations on.
FEW = math.ceil(4 * histogram.sigma_of(RHO))
VOTES = ("1.2345678",) * (FEW + 1) + ("1.25",) * 40, ("1.2345678",) * FEW + ("1.25",) * 40


def test_decimals_at_the_edge_tell_tables_apart_no_better_than_they_claim():
    bound, claim = told_apart(decimals, VOTES)
    assert bound <= claim


def test_decimals_without_noise_are_found_out():
    edge = 4 * histogram.sigma_of(RHO)
    assert FEW - 1 < edge <= FEW
    bound, claim = told_apart(decimals, (VOTES[1], VOTES[1][1:]), Silent, runs=500)
    assert bound > claim


# Choices.


def coin_table(n, more=()):
    """Return a table of three columns of two codes."""
    layout = Layout(tuple(Block(name, 2) for name in "abc"))
    codes = np.array([[0, 0, 0]] * n + [list(row) for row in more], dtype=np.int32)
    return EncodedTable(codes.reshape(-1, 3), np.zeros((len(codes), 0), np.float32), layout)


def choice(table, ledger, noise):
    """Return which of two sets is estimated worst; a row moves the one up and the other down."""
    data = PrivateTrainingData(table, 10, [], ledger, noise)
    below, above = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[21.0, 0.0], [0.0, 0.0]])
    # Errors of 10 and 11 with ten rows, and of 11 and 10 with eleven.
    return data.choose([Counts((0, 1), below, 0.0), Counts((1, 2), above, 0.0)])


CHOICES = coin_table(11), coin_table(10)


def test_a_choice_tells_tables_apart_no_better_than_it_claims():
    bound, claim = told_apart(choice, CHOICES)
    assert bound <= claim


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_choice_with_too_little_chance_is_found_out(mutant):
    bound, claim = told_apart(choice, CHOICES, MUTANTS[mutant], runs=500)
    assert bound > claim


# The whole: a coding is bought and a graphical model learnt, of a table of two columns.

LABELS = ["u", "v", "w"]
WHOLE = Schema(
    tuple(
        Column(name, "category", parameters={"categories": LABELS, "nullable": False}, dtype="str")
        for name in ("x", "y")
    )
)


def small_table(n=50):
    """Return rows in which x tells y."""
    rng = np.random.default_rng(2)
    some = [LABELS[place] for place in rng.integers(0, 2, n)]
    return pd.DataFrame({"x": some, "y": some}, dtype="str")


def with_odd_row(frame):
    """Return the table with a row of labels that no other has."""
    odd = pd.DataFrame({name: ["w"] for name in frame}, dtype="str")
    return pd.concat([frame, odd], ignore_index=True)


def marginal(exact_known=False):
    """Return what fits `marginal` end to end, and tells one-way and two-way shares."""
    kind = models.get("marginal")
    parameters = kind.parameters_type(method="tree")

    def release(table, ledger, noise):
        rho = RHO * (1 - 1e-6)
        count = fitting.noisy_rows(len(table), 0.05 * rho, ledger, noise)
        noisy = noisy_codec(
            private_schema(WHOLE, inferred=False),
            table,
            kind(parameters).coding,
            ledger,
            noise,
            Streams(1),
            rho=0.35 * rho,
            n_rows=count,
        )
        known = noisy.known
        if exact_known:
            known = [Counts(k.blocks, counted(noisy.table, k.blocks) * 1.0, 0.0) for k in known]
        data = PrivateTrainingData(noisy.table, count, known, ledger, noise)
        model = kind(parameters).fit(data, Streams(1))
        # Groups of codes differ from run to run; counts of drawn codes are alike.
        made = model.sample(400, Streams(3)).codes
        ones = [np.mean(made[:, place] == 2) for place in range(2)]
        both = np.mean((made == 2).all(axis=1))
        return [count, *ones, both, *(k.values[2] for k in known)]

    return release


@pytest.fixture
def few_iterations(monkeypatch):
    """Fit graphical models to counts in few iterations, which are post-processing."""
    whole = selection.fitted

    def fitted(sizes, measurements, total, steps, *more):
        return whole(sizes, measurements, total, min(steps, 2), *more)

    monkeypatch.setattr(selection, "fitted", fitted)


@pytest.mark.audit
def test_marginal_tells_tables_apart_no_better_than_it_claims(few_iterations):
    tables = with_odd_row(small_table()), small_table()
    bound, claim = told_apart(marginal(), tables)
    assert 0.9 < claim <= EPSILON * (1 + 1e-6)
    assert bound <= claim


@pytest.mark.audit
@pytest.mark.parametrize("mutant", MUTANTS)
def test_marginal_with_too_little_noise_is_found_out(few_iterations, mutant):
    tables = with_odd_row(small_table()), small_table()
    bound, claim = told_apart(marginal(), tables, MUTANTS[mutant])
    assert bound > claim


@pytest.mark.audit
def test_marginal_that_knows_exact_frequencies_is_found_out(few_iterations):
    tables = with_odd_row(small_table()), small_table()
    bound, claim = told_apart(marginal(exact_known=True), tables, runs=150)
    assert bound > claim
