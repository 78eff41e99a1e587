"""One fit of DP-SGD with canaries: coins decide which rows are learnt, and attacks guess the coins.

Steinke, Nasr and Jagielski (2023), arXiv:2305.08846: where a fit is (epsilon, delta)-private, so
many guesses cannot be right. The attack from outside has the rows made. The one from inside has all
gradients that come out, which is what the account is about.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tabsynth import Synthesizer
from tabsynth.audit.base import Setting
from tabsynth.audit.one_run import OneRun
from tabsynth.encoding import EncodedTable
from tabsynth.encoding.layout import Block, Layout
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost_autoencoder import GhostAutoencoder
from tabsynth.models.neural.private import place
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.audit import most_one_run, one_run_epsilon
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.dpsgd import ClippedGradients
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import PrivateSteps, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import with_dtypes

EPSILON, DELTA, LEVEL = 1.0, 1e-5, 0.01


def frame(n=600):
    """Return a table in which columns depend on each other."""
    rng = np.random.default_rng(4)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "age": age,
            "pay": np.round(age * 10 + rng.normal(0, 80, n)).clip(-500, 1500).astype(int),
            "job": np.array(["a", "b", "c", "d"])[np.clip(age // 20 - 1, 0, 3)],
            "sick": rng.random(n) < age / 120,
        }
    )


def schema():
    """Return all that is known of it."""
    jobs = {"categories": ["a", "b", "c", "d"]}
    columns = (
        Column("age", "number", parameters={"minimum": 18, "maximum": 90}),
        Column("pay", "number", parameters={"minimum": -500, "maximum": 1500}),
        Column("job", "category", parameters=jobs),
        Column("sick", "boolean"),
    )
    return Schema(columns)


@pytest.mark.audit
def test_rows_made_by_tvae_give_no_more_away_than_it_claims():
    setting = Setting(
        frame(),
        with_dtypes(schema(), frame()),
        "tvae",
        {},
        Streams(3),
        canaries=200,
        level=LEVEL,
        claim=EPSILON,
        delta=DELTA,
    )
    audit = OneRun(setting)
    (run,) = audit.job.runs
    table = audit.job.pool.iloc[Streams(run.seed).numpy("order").permutation(run.rows)]
    fitted = Synthesizer(
        "tvae",
        schema=schema(),
        parameters={"steps": 30},
        seed=run.seed,
        epsilon=EPSILON,
        delta=DELTA,
        debug_insecure_seed=5,
    ).fit(table.reset_index(drop=True))
    result = audit.judge([audit.job.probe(fitted)])
    assert result.largest > 2 * EPSILON
    assert result.epsilon <= EPSILON
    assert result.word == "no leak detected at this power"


N, CANARIES, CLIP = 200, 120, 0.7
"""Rows, and how many of the first of them are learnt or not by coins."""


class Silent(Noise):
    """A mutant: no noise."""

    def gaussian(self, n):
        """Return nothing but zeros."""
        return np.zeros(n)


def distinct():
    """Return a table of N rows that all differ."""
    layout = Layout(tuple(Block(f"c{place}", 8) for place in range(6)))
    codes = np.random.default_rng(1).integers(0, 8, size=(N, 6)).astype(np.int32)
    return EncodedTable(codes, np.zeros((N, 0), dtype=np.float32), layout)


def guessed(noise, share=1.0, steps=8) -> float:
    """Train the networks of `tvae` once; return the bound on epsilon from gradients that came out.

    The attacker knows everything but coins and noise: the gradient of every row, and which other
    rows were learnt. What is left of the gradients is explained by those of the canaries, as well
    as noise lets (ridge regression); `share` is how much of the noise there is.
    """
    table = distinct()
    coins = np.random.default_rng(6).random(CANARIES) < 0.5
    learnt = np.append(np.flatnonzero(coins), np.arange(CANARIES, N))
    spans, weights = Spans(table.layout, torch.device("cpu")), Streams(1).torch("weights")
    encoder, decoder = Encoder(spans, 4, 24, weights), Decoder(spans, 4, 24, weights)
    decoder.codes.start_at(torch.full((spans.width,), 0.1))
    chance = RowChance(spans.width, Streams(1).torch("chance"), torch.device("cpu"))
    network = GhostAutoencoder(encoder, decoder, 0.5, chance)
    index = place(spans)

    def loss(codes, offsets):
        return network(index(codes))

    rows = torch.from_numpy(table.codes), torch.from_numpy(table.offsets)
    gradients = ClippedGradients(network, loss, CLIP)
    each = np.stack([gradients.summed([tuple(p[[i]] for p in rows)]) for i in range(N)])
    gradients.close()
    some = EncodedTable(table.codes[learnt], table.offsets[learnt], table.layout)
    ledger = Ledger(PrivacyBudget(EPSILON, DELTA))
    data = PrivateTrainingData(some, N - CANARIES // 2, [], ledger, noise)
    run, seen = PrivateSteps(N - CANARIES // 2, steps, CLIP), []

    def update(step):
        parts = [p.grad.reshape(-1) for p in network.parameters() if p.requires_grad]
        seen.append(torch.cat(parts).double().numpy() * run.batch_size)

    data.train(network, loss, run, update, torch.device("cpu"))
    (spend,) = ledger.spends
    assert spend.rate == 1
    assert 0.95 * EPSILON < ledger.epsilon() <= EPSILON * (1 + 1e-6)
    left = np.mean(seen, axis=0) - each[CANARIES:].sum(axis=0)
    variance = (spend.noise * CLIP) ** 2 / steps * share**2 + 1e-9
    own = each[:CANARIES]
    scores = np.linalg.solve(own @ own.T + 4 * variance * np.eye(CANARIES), own @ left)
    order, half = np.argsort(scores), CANARIES // 4
    right = int((~coins[order[:half]]).sum() + coins[order[-half:]].sum())
    return one_run_epsilon(CANARIES, 2 * half, right, alpha=LEVEL, delta=DELTA)


@pytest.mark.audit
def test_gradients_of_tvae_give_no_more_away_than_it_claims():
    assert most_one_run(CANARIES, CANARIES // 2, alpha=LEVEL, delta=DELTA) > 2 * EPSILON
    assert guessed(Noise(7)) <= EPSILON


@pytest.mark.audit
def test_gradients_without_noise_are_found_out():
    assert guessed(Silent(7), share=0.0) > EPSILON
