"""The three codings of numbers: exact where they promise it, and careful with single rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tabsynth.columns.number import Number
from tabsynth.encoding.bins import BinCoder
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.intervals import find_atoms, partition, softened_ends, stands_out
from tabsynth.encoding.modes import ModeCoder, fit_mixture
from tabsynth.encoding.scalar import ScalarCoder
from tabsynth.errors import ConfigError
from tabsynth.schema import Column

CODERS = {
    "bins": (BinCoder, Coding("bins", size=20, distinct=8)),
    "distinct": (BinCoder, Coding("bins", size=20, distinct=1000)),
    "sub_bins": (BinCoder, Coding("bins", size=6, sub_bins=5, distinct=0)),
    "modes": (ModeCoder, Coding("modes", size=10)),
    "scalar": (ScalarCoder, Coding("scalar")),
}
columns = st.one_of(
    hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 40)),
    hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(-(2**40), 2**40)),
    hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6)),
)


def fitted(kind, data, floor=5):
    coder, coding = CODERS[kind]
    values, counts = np.unique(data, return_counts=True)
    return coder.fit(values, counts, coding, floor)


@pytest.mark.parametrize("kind", CODERS)
@given(data=columns)
def test_codes_and_offsets_stay_in_range_and_fit_their_blocks(kind, data):
    coder = fitted(kind, data)
    blocks = coder.blocks("x", nullable=True)
    codes, offsets = coder.encode(data, np.random.default_rng(0))
    assert codes.shape == (len(data), len(blocks))
    assert offsets.shape == (len(data), sum(block.has_offset for block in blocks))
    assert np.abs(offsets).max(initial=0.0) <= 1.0
    for column, block in enumerate(blocks):
        assert codes[:, column].min() >= 0
        assert codes[:, column].max() < block.size
    column = 0
    for index, block in enumerate(blocks):
        if block.has_offset:
            closed = ~np.array(block.continuous)[codes[:, index]]
            assert (offsets[closed, column] == 0).all()
            column += 1
    assert blocks[0].missing == blocks[0].size - 1


@pytest.mark.parametrize("kind", CODERS)
@given(data=columns)
def test_decoding_stays_inside_the_data_and_survives_the_file(kind, data):
    coder = fitted(kind, data)
    codes, offsets = coder.encode(data, None)
    back = coder.decode(codes, offsets)
    assert back.dtype == data.dtype
    slack = 1e-9 * max(1.0, float(np.abs(data).max()))
    assert data.min() - slack <= back.min()
    assert back.max() <= data.max() + slack
    again = type(coder).load(coder.state(), data.dtype.kind == "i")
    assert np.array_equal(again.decode(codes, offsets), back)
    assert again.blocks("x", True) == coder.blocks("x", True)


@pytest.mark.parametrize("kind", CODERS)
def test_values_inside_the_range_come_back_exactly_on_a_lattice(kind):
    data = np.random.default_rng(1).integers(-300, 300, 5_000)
    coder = fitted(kind, data)
    codes, offsets = coder.encode(data, np.random.default_rng(0))
    back = coder.decode(codes, offsets.astype(np.float32))
    inside = (data > np.sort(data)[5]) & (data < np.sort(data)[-6])
    assert np.array_equal(back[inside], data[inside])


@pytest.mark.parametrize("kind", CODERS)
def test_reals_come_back_to_within_float32(kind):
    data = np.random.default_rng(1).normal(size=5_000)
    coder = fitted(kind, data)
    codes, offsets = coder.encode(data, np.random.default_rng(0))
    inside = np.abs(data) < 2.5
    back = coder.decode(codes, offsets.astype(np.float32))
    assert np.abs(back - data)[inside].max() < 1e-5


@pytest.mark.parametrize("kind", CODERS)
def test_what_many_rows_share_is_coded_as_an_atom(kind):
    rng = np.random.default_rng(2)
    gain = np.where(rng.random(4_000) < 0.9, 0, np.rint(np.exp(rng.normal(8, 1, 4_000))))
    data = gain.astype(np.int64)
    coder = fitted(kind, data)
    block = coder.blocks("x", nullable=False)[0]
    codes, _ = coder.encode(np.array([0, 0, 0]), np.random.default_rng(0))
    spread = np.zeros((3, sum(b.has_offset for b in coder.blocks("x", False))))
    spread[:, 0] = [-1.0, 0.1, 1.0]
    if kind != "scalar":
        assert not (block.continuous and block.continuous[int(codes[0, 0])])
    assert coder.decode(codes, spread).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", CODERS)
def test_no_value_of_a_single_row_is_an_end_of_what_can_be_decoded(kind):
    rng = np.random.default_rng(3)
    data = np.concatenate([rng.normal(size=2_000), [1e6, -1e6]])
    coder = fitted(kind, data)
    blocks = coder.blocks("x", nullable=False)
    n_offsets = sum(block.has_offset for block in blocks)
    every = np.array(
        [
            [code] + [part] * (len(blocks) - 1)
            for code in range(blocks[0].size)
            for part in range(blocks[-1].size)
        ]
    )
    for end in (-1.0, 1.0):
        decoded = coder.decode(every, np.full((len(every), n_offsets), end))
        assert not np.isin(decoded, [1e6, -1e6]).any()
    assert "1000000.0" not in str(coder.state())


@given(
    hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(1, 30)),
    st.integers(1, 40),
    st.integers(1, 10),
)
def test_every_run_of_a_partition_holds_enough_rows(counts, parts, floor):
    starts = partition(counts, parts, floor)
    if not len(counts):
        assert len(starts) == 0
        return
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    rows = np.add.reduceat(counts, starts)
    assert len(rows) == 1 or rows.min() >= floor


def test_atoms_are_limited_to_the_most_frequent():
    counts = np.array([10, 50, 10, 50, 50])
    assert find_atoms(counts, 0.01, 5, 2).sum() == 2
    assert not find_atoms(counts, 0.01, 60, 5).any()


def test_evenly_spread_values_do_not_stand_out_but_a_spike_does():
    counts = np.full(80, 100)
    assert not stands_out(counts).any()
    counts[40] = 1_000
    assert np.flatnonzero(stands_out(counts)).tolist() == [40]


def test_softened_ends_are_means_over_several_rows():
    low, high = softened_ends(np.array([0, 1, 2, 3, 100]), np.array([1, 1, 5, 1, 1]), 2)
    assert (low, high) == (0.5, 51.5)
    assert softened_ends(np.array([0, 9]), np.array([7, 7]), 5) == (0.0, 9.0)


def test_the_mixture_finds_two_separate_humps():
    rng = np.random.default_rng(4)
    data = np.sort(np.concatenate([rng.normal(-5, 0.5, 3_000), rng.normal(10, 2, 7_000)]))
    means, deviations, weights = fit_mixture(data, np.ones(len(data), dtype=np.int64), 10)
    left = means < 0
    assert weights[left].sum() == pytest.approx(0.3, abs=0.01)
    mixture_mean = (weights[left] * means[left]).sum() / weights[left].sum()
    assert mixture_mean == pytest.approx(-5, abs=0.1)
    assert deviations[~left].max() < 4


def test_the_mixture_is_about_as_likely_as_the_truth():
    rng = np.random.default_rng(5)
    truth = [(0.5, -2.0, 0.5), (0.3, 0.0, 0.2), (0.2, 5.0, 2.0)]
    part = rng.choice(3, 20_000, p=[t[0] for t in truth])
    data = (
        np.array([t[1] for t in truth])[part]
        + rng.normal(size=20_000) * np.array([t[2] for t in truth])[part]
    )
    means, deviations, weights = fit_mixture(np.sort(data), np.ones(20_000, dtype=np.int64), 10)

    def likelihood(parts):
        density = sum(
            w * np.exp(-0.5 * ((data - m) / s) ** 2) / (s * np.sqrt(2 * np.pi)) for w, m, s in parts
        )
        return np.log(density).mean()

    found = likelihood(list(zip(weights, means, deviations, strict=True)))
    assert found > likelihood(truth) - 0.01


def test_the_mixture_survives_twelve_orders_of_magnitude():
    data = np.sort(np.random.default_rng(6).lognormal(0, 6, 10_000))
    means, deviations, weights = fit_mixture(data, np.ones(10_000, dtype=np.int64), 10)
    assert np.isfinite([*means, *deviations, *weights]).all()
    assert (deviations > 0).all()
    assert weights.sum() == pytest.approx(1.0)


def test_a_coding_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="modes, bins, scalar"):
        Coding("quantum")
    with pytest.raises(ConfigError, match="at least 1"):
        Coding("bins", size=0)


@pytest.mark.parametrize("kind", CODERS)
def test_values_of_the_table_are_drawn_no_more_often_than_unseen_ones(kind):
    rng = np.random.default_rng(7)
    coder, coding = CODERS[kind]
    coding = Coding(coding.kind, 32, 16 if coding.kind == "bins" else 1, 0)
    everything = np.rint(np.exp(rng.normal(9, 1, 40_000))).astype(np.int64)
    seen, unseen = everything[:20_000], everything[20_000:]
    values, counts = np.unique(seen, return_counts=True)
    fitted_coder = coder.fit(values, counts, coding, 5)
    codes, offsets = fitted_coder.encode(seen, rng)
    # Models put some weight on the very ends of an interval.
    made = fitted_coder.decode(codes, np.clip(rng.normal(size=offsets.shape), -1, 1))
    only_seen = np.setdiff1d(seen, unseen)
    only_unseen = np.setdiff1d(unseen, seen)
    hit = np.isin(only_seen, made).mean(), np.isin(only_unseen, made).mean()
    # Standard error of either share is about 0.006.
    assert abs(hit[0] - hit[1]) < 0.025


@pytest.mark.parametrize("decimals", [8, 15])
def test_numbers_that_rows_share_come_back_exactly_however_fine_their_lattice(decimals):
    rng = np.random.default_rng(0)
    data = np.round(rng.normal(0, 10, 5_000), 1)
    data[:3] = np.round(rng.normal(0, 10, 3), decimals)  # so many decimals in three rows alone
    type_ = Number(Column("x", "number"))
    values = type_.parse(pd.Series(data))
    codec = type_.fit(type_.summarise(values), Coding("scalar"))
    back = codec.decode(*codec.encode(values), np.random.default_rng(1)).data
    _, where, counts = np.unique(data, return_inverse=True, return_counts=True)
    shared = (counts >= 5)[where]
    assert shared.mean() > 0.9
    np.testing.assert_array_equal(back[shared], data[shared])
    loaded = type_.load(codec.state())
    again = loaded.decode(*codec.encode(values), np.random.default_rng(1)).data
    np.testing.assert_array_equal(again, back)
