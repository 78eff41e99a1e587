"""Positions of codes, and what is done to all blocks at once, against a loop over the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.models.neural.heads import NEVER, CodeHead, cross_entropy, draw, draw_gumbel, softmax
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.spans import Spans
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, toy_table

CPU = torch.device("cpu")
WIDTHS = [3, 1, 700, 2, 17, 40, 33, 2, 5]


@pytest.fixture
def spans():
    return Spans(Layout(tuple(Block(str(i), size) for i, size in enumerate(WIDTHS))), CPU)


@pytest.fixture
def codes(spans):
    rng = np.random.Generator(np.random.PCG64(2))
    return rng.integers(0, spans.layout.sizes, (50, len(WIDTHS))).astype(np.int32)


@pytest.fixture
def logits(spans):
    rows = torch.full((50, spans.width), NEVER)
    values = torch.randn((50, spans.layout.width), generator=Streams(1).torch("logits"))
    rows[:, spans.positions] = values
    return rows


def by_block(spans, rows):
    """Yield, in the order of an index, the part of `rows` that belongs to each block."""
    for start, size in zip(spans.starts.tolist(), spans.sizes.tolist(), strict=True):
        yield rows[:, start : start + size]


def test_codes_come_back_from_their_positions(spans, codes):
    index = spans.index(codes)
    assert index.dtype == torch.int32
    assert np.array_equal(spans.codes(index), codes)
    assert len(np.unique(spans.positions)) == spans.layout.width


def test_at_most_a_third_of_a_row_is_padding():
    for seed in range(20):
        rng = np.random.Generator(np.random.PCG64(seed))
        sizes = rng.integers(1, 300, 30)
        made = Spans(Layout(tuple(Block(str(i), int(k)) for i, k in enumerate(sizes))), CPU)
        assert made.width <= 1.5 * made.layout.width
        assert len(made.buckets) <= 18


def test_softmax_is_that_of_each_block_and_padding_gets_nothing(spans, logits):
    shares = softmax(logits, spans)
    for part, values in zip(by_block(spans, shares), by_block(spans, logits), strict=True):
        assert torch.allclose(part, torch.softmax(values, 1), atol=1e-6)
    assert torch.allclose(shares.sum(1), torch.tensor(float(len(WIDTHS))), atol=1e-4)


def test_cross_entropy_and_its_gradient_are_those_of_each_block(spans, codes, logits):
    index = spans.index(codes).long()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    weights = torch.rand((50, len(WIDTHS)), generator=Streams(1).torch("weights"))
    loss = cross_entropy(ours, index, spans)
    wanted = torch.stack(
        [
            torch.nn.functional.cross_entropy(part, index[:, i] - start, reduction="none")
            for i, (part, start) in enumerate(
                zip(by_block(spans, theirs), spans.starts, strict=True)
            )
        ],
        dim=1,
    )
    assert torch.allclose(loss, wanted, atol=1e-5)
    (loss * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)


def test_drawn_codes_follow_the_softmax_and_are_not_the_likeliest(spans, logits):
    rows = logits[:1].expand(20_000, -1)
    index = draw(rows, spans, Streams(1).torch("draws"))
    counts = torch.bincount(index.reshape(-1), minlength=spans.width) / 20_000
    # Five standard deviations of a share of one half.
    assert (counts - softmax(logits[:1], spans)[0]).abs().max() < 5 * 0.5 / 20_000**0.5


def test_extreme_logits_stay_finite(spans, codes, logits):
    index = spans.index(codes).long()
    extreme = (1e3 * logits.clamp(-10, 10)).requires_grad_()
    loss = cross_entropy(extreme, index, spans).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(extreme.grad).all()
    made = spans.codes(draw(extreme.detach(), spans, Streams(1).torch("draws")))
    check_encoded(EncodedTable(made, np.zeros((50, 0), np.float32), spans.layout))


def test_gumbel_noise_has_the_mean_and_variance_of_gumbel_noise():
    noise = draw_gumbel((200_000,), Streams(1).torch("noise"), CPU)
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(noise.var()) == pytest.approx(np.pi**2 / 6, abs=0.05)


def test_hard_and_soft_inputs_agree_on_whole_codes():
    table = toy_table(60)
    spans = Spans(table.layout, CPU)
    index, offsets = spans.index(table.codes), torch.from_numpy(table.offsets)
    layer = RowInputs(spans, 7, Streams(1).torch("weights"))
    shares = torch.zeros(60, spans.width).scatter_(1, index.long(), 1.0)
    slots = torch.zeros(60, spans.n_slots + 1).scatter_(1, spans.slots(index), offsets)
    assert torch.allclose(layer(index, offsets), layer.soft(shares, slots[:, :-1]), atol=1e-5)


def test_hard_and_soft_inputs_agree_on_very_many_codes(spans, codes):
    index = spans.index(codes)
    layer = RowInputs(spans, 7, Streams(1).torch("weights"))
    shares = torch.zeros(50, spans.width).scatter_(1, index.long(), 1.0)
    none = torch.zeros(50, 0)
    assert torch.allclose(layer(index, none), layer.soft(shares, none), atol=1e-5)


def test_a_child_means_something_only_below_a_refined_code():
    table = toy_table(200)
    spans = Spans(table.layout, CPU)
    meant = spans.meant(spans.index(table.codes))[:, spans.column]
    refined = np.array(table.layout[2].refined)[table.codes[:, 2]]
    assert np.array_equal(meant[:, 3].numpy(), refined)
    assert meant[:, [0, 1, 2, 4, 5]].all()


def test_offsets_below_an_unrefined_code_have_slots_of_their_own():
    layout = toy_table(1).layout
    spans = Spans(layout, CPU)
    # Blocks 2 and 3: codes 2 and 4 of the parent are not refined; the child has three codes.
    codes = np.zeros((8, 6), dtype=np.int32)
    codes[:, 2], codes[:, 3] = [0, 0, 0, 1, 3, 2, 4, 2], [0, 1, 2, 0, 0, 0, 0, 0]
    slots = spans.slots(spans.index(codes))[:, 1].tolist()
    assert slots[0] == slots[3] == slots[4]
    assert slots[5] == slots[7]
    assert len(set(slots)) == 5
    assert max(slots) < spans.n_slots


@pytest.mark.parametrize("gain", [2.0, 20.0])
def test_calibrated_heads_draw_codes_with_the_shares_of_the_rows(gain):
    table = toy_table(400)
    spans = Spans(table.layout, CPU)
    shares = read_shares(spans.index(table.codes), spans)
    generator = Streams(1).torch("weights")
    head = CodeHead(spans, 4, generator, gain=gain)
    head.start_at(shares)
    hidden = torch.randn((20_000, 4), generator=generator)
    calibrate(head, lambda: [hidden], shares, spans)
    drawn = read_shares(draw(head(hidden), spans, generator), spans)
    # Before, shares are off by up to 0.15 and 0.5; logits of the second are far from 0.
    assert (drawn - shares).abs().max() < 0.02
