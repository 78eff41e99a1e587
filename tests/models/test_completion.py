"""Rows given in part follow the distribution given what they hold; what is too rare is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tabsynth.encoding import EncodedTable, Given, Layout
from tabsynth.errors import SampleError
from tabsynth.models import Effort, Model, models
from tabsynth.models.neural.weighting import CLIPPED, LEAST_EFFECTIVE, Draws
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams

SIZES = {
    "independent": {},
    "tvae": {"hidden": 64, "latent": 8, "steps": 500, "batch_size": 128},
    "ctgan": {"hidden": 64, "steps": 350, "batch_size": 200},
    "autoregressive": {"hidden": 32, "embedding": 8, "steps": 400, "batch_size": 128},
}


def given_codes(layout, n_rows, codes, offsets=None):
    """Return rows that all hold the same codes, by block, and offsets, by column of offsets."""
    table = EncodedTable.empty(n_rows, layout)
    known = np.zeros(table.codes.shape, dtype=bool)
    for block, code in codes.items():
        table.codes[:, block] = code
        known[:, block] = True
    for column, offset in (offsets or {}).items():
        table.offsets[:, column] = offset
    return Given(table, known)


@pytest.fixture(scope="module")
def fitted(dependent):
    def fit(name):
        if name not in kept:
            kind = models.get(name)
            model = kind(kind.parameters_type(**SIZES[name]))
            kept[name] = model.fit(ExactTrainingData(dependent), Streams(5))
        return kept[name]

    kept = {}
    return fit


class Replay(Model):
    """Draws rows of a table anew: its distribution is known exactly, and so is what is given."""

    name = "replay"
    description = "Rows of a table."

    def __init__(self, table):
        self.table = table

    coding = None
    from_state = state = fit = None

    def sample(self, n_rows, streams, monitor=None):
        return self.table.take(streams.numpy("rows").integers(0, len(self.table), n_rows))


Replay.__abstractmethods__ = frozenset()


@pytest.fixture
def replay(dependent):
    return Replay(dependent)


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("rank", [0, 2])
def test_rejection_gives_the_distribution_of_the_rows_that_fit(dependent, replay, rank, block):
    made = replay.complete(given_codes(dependent.layout, 4_000, {0: rank}), Streams(1)).table
    real = dependent.codes[dependent.codes[:, 0] == rank, block]
    ours, theirs = (np.bincount(c, minlength=3) / len(c) for c in (made.codes[:, block], real))
    # 4,000 draws: five standard deviations of a share.
    assert np.abs(ours - theirs).max() < 5 * 0.5 / 4_000**0.5


def test_the_acceptance_is_the_share_of_rows_that_fit(dependent, replay):
    effort = replay.complete(given_codes(dependent.layout, 2_000, {0: 2}), Streams(1)).effort
    assert effort.way == "by rejection"
    assert effort.acceptance == pytest.approx(0.02, rel=0.15)  # 40 of 2,000 rows
    assert effort.draws >= 2_000 / effort.acceptance * 0.9


def test_rows_given_in_different_columns_do_not_take_each_others_draws_away(dependent, replay):
    """A row given little must not be left with what the rows given more did not want."""
    layout, n = dependent.layout, 3_000
    some, other = (given_codes(layout, n, codes) for codes in ({3: 0}, {3: 0, 0: 0}))
    both = Given(
        EncodedTable.concatenate([some.table, other.table]),
        np.concatenate([some.known, other.known]),
    )
    made = replay.complete(both, Streams(1)).table
    real = (dependent.codes[dependent.codes[:, 3] == 0, 0] == 0).mean()
    assert (made.codes[:n, 0] == 0).mean() == pytest.approx(real, abs=5 * 0.5 / n**0.5)


def test_no_draw_serves_two_rows_that_are_given_alike(dependent, replay):
    made = replay.complete(given_codes(dependent.layout, 500, {0: 0}), Streams(1)).table
    draws = replay.sample(1_024, Streams(1).child("batch 0"))
    fitting = draws.take(draws.codes[:, 0] == 0)
    sizes = (
        np.unique(made.offsets[:, 0][made.codes[:, 2] == 0]),
        np.unique(fitting.offsets[fitting.codes[:, 2] == 0, 0]),
    )
    assert len(sizes[0]) > 0.7 * min(500, len(sizes[1]))


def test_an_offset_of_a_component_is_compared_and_then_put_in_exactly(dependent, replay):
    given = given_codes(dependent.layout, 400, {2: 0}, {0: 0.4321})
    done = replay.complete(given, Streams(1))
    assert (done.table.offsets[:, 0] == np.float32(0.4321)).all()
    # Component 0 has 57% of the rows; the offset must be within the same sixteenth part.
    assert 0.05 < done.effort.acceptance < 0.3


@pytest.mark.parametrize("name", ["replay", "tvae", "ctgan"])
def test_what_never_occurs_is_refused_with_the_columns_and_the_count(
    dependent, replay, fitted, name
):
    first, *rest = dependent.layout.blocks
    layout = Layout((replace(first, size=4), *rest))  # a code that no row has
    table = EncodedTable(dependent.codes, dependent.offsets, layout)
    if name == "replay":
        model = Replay(table)
    else:
        kind = models.get(name)
        model = kind(kind.parameters_type(hidden=8, steps=5)).fit(
            ExactTrainingData(table), Streams(5)
        )
    given = given_codes(layout, 5, {0: 3, 3: 0})
    given.table.codes[:2, 0] = 0
    with pytest.raises(SampleError) as caught:
        model.complete(given, Streams(1), max_tries=1_000)
    text = str(caught.value)
    assert "Only 2 of 5 rows" in text
    assert "columns 'rank', 'label'" in text
    assert re.search(r"none of \d,\d{3} fit", text)
    assert "max_tries" in text


def test_more_tries_make_what_fewer_refuse(dependent, replay):
    given = given_codes(dependent.layout, 400, {0: 2})
    with pytest.raises(SampleError, match="one in 10 has to"):
        replay.complete(given, Streams(1), max_tries=10)
    assert len(replay.complete(given, Streams(1), max_tries=100).table) == 400


# What the rows say: block 1 is block 0 in 90% of the rows, and the rarest code of block 0 is in 2%.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("tvae", 0.8, 0.97), ("ctgan", 0.7, 1.0), ("autoregressive", 0.84, 0.95)],
)
def test_networks_draw_the_rest_given_a_code(dependent, fitted, name, low, high):
    given = given_codes(dependent.layout, 3_000, {0: 1})
    made = fitted(name).complete(given, Streams(1)).table
    assert low < (made.codes[:, 1] == 1).mean() < high
    # Component 0 of block 2 goes with code 0 of block 0 only.
    # Without: 0.57.
    assert (made.codes[:, 2] == 0).mean() < 0.25


def test_nothing_depends_on_what_is_given_where_columns_are_independent(dependent, fitted):
    given = given_codes(dependent.layout, 5_000, {0: 2})
    done = fitted("independent").complete(given, Streams(1))
    share = (dependent.codes[:, 1] == 0).mean()
    assert (done.table.codes[:, 1] == 0).mean() == pytest.approx(share, abs=0.035)
    assert done.effort == Effort("directly", 5_000, 5_000)


@pytest.mark.parametrize("name", ["tvae", "ctgan"])
def test_weighting_agrees_with_rejection_from_the_same_network(dependent, fitted, name):
    model, n = fitted(name), 6_000
    for codes, offsets in (({0: 2}, {}), ({1: 1, 3: 1}, {}), ({2: 0, 0: 0}, {0: 0.5})):
        given = given_codes(dependent.layout, n, codes, offsets)
        weighed = model.complete(given, Streams(1))
        rejected = Model.complete(model, given, Streams(2))
        for block in set(range(4)) - set(codes):
            ours, theirs = (
                np.bincount(done.table.codes[:, block], minlength=3) / n
                for done in (weighed, rejected)
            )
            # Six standard deviations of the difference of two shares, each of n rows, for what
            # cutting off 2% of the weight and comparing offsets by their part take as well.
            assert np.abs(ours - theirs).max() < 5 * (2 * 1.5 * 0.25 / n) ** 0.5
        assert weighed.effort.way == "by weighting"
        assert weighed.effort.acceptance > 0.9 * rejected.effort.acceptance


def test_weighting_looks_at_offsets(dependent, fitted):
    """Around 0.5 component 0 has a peak; its offsets say nothing of block 1 beyond the code."""
    given = given_codes(dependent.layout, 2_000, {2: 0}, {0: -0.9})
    near = given_codes(dependent.layout, 2_000, {2: 0}, {0: 0.5})
    far, peak = (fitted("tvae").complete(some, Streams(1)) for some in (given, near))
    assert (far.table.offsets[:, 0] == np.float32(-0.9)).all()
    assert far.effort.acceptance <= peak.effort.acceptance


def test_efforts_add_up():
    both = Effort("directly", 100, 100).and_then(Effort("by rejection", 300, 3_000, 0.2, 0.1))
    assert both == Effort("by rejection", 400, 3_100, 0.4, 0.1)
    assert "40% of them fit" in both.in_words()


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_latents_are_drawn_in_proportion_to_their_weights_and_none_twice(spread):
    """Standard normal latents with weights exp(spread * x) become normal ones around `spread`."""
    draws = Draws(np.repeat([0, 1], [300, 1]), 1, np.random.default_rng(1))
    rng, both = np.random.default_rng(2), np.array([0, 1])
    while draws.clipped(both).max() > CLIPPED or draws.effective().min() < LEAST_EFFECTIVE:
        latents = rng.normal(size=1_000)
        draws.add(both, np.tile(spread * latents, (2, 1)), latents[:, None].astype(np.float32))
    chosen = draws.chosen()[:300, 0]
    assert len(np.unique(chosen)) == 300
    # Five standard deviations of the mean of 300, and what cutting off 2% of the weight takes.
    assert chosen.mean() == pytest.approx(spread, abs=5 / 300**0.5)
    assert chosen.std() == pytest.approx(1, abs=0.25)
