"""What a step of DP-SGD costs, against a plain step of the same network on the same rows.

    python benchmarks/private_steps.py

Half of the first 32,561 rows of adult, one thread, batches of 512 rows by chance. A step is all
that happens from one update of the weights to the next; CPU time, medians over `STEPS` steps, after
two to warm up, of each run in turn. Writes a Markdown table to `benchmarks/results`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from real_tables import RESULTS

from tabsynth import datasets
from tabsynth.codec import TableCodec
from tabsynth.encoding import EncodedTable
from tabsynth.models import models
from tabsynth.models._autoregressive import PRIVATE as MASKED
from tabsynth.models._tvae import PRIVATE as AUTOENCODER
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost_autoencoder import GhostAutoencoder
from tabsynth.models.neural.ghost_masked import GhostMasked
from tabsynth.models.neural.masked import MaskedNetwork
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import place
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import ExactTrainingData, PrivateSteps, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.schema.infer import infer_schema

CPU = torch.device("cpu")
BATCH, STEPS, RUNS = 512, 30, 3


def masked(spans: Spans) -> torch.nn.Module:
    """Return the network of `autoregressive` as it is under a budget."""
    network = MaskedNetwork(spans, MASKED.embedding, MASKED.hidden, Streams(1).torch("weights"))
    order = list(range(spans.n_blocks))
    learnt = [column for column in order if spans.layout[int(spans.order[column])].parent is None]
    return GhostMasked(network, Orders(spans, order, 0.0, Streams(1).torch("orders")), learnt)


def autoencoder(spans: Spans) -> torch.nn.Module:
    """Return the networks of `tvae` as they are under a budget."""
    sizes, weights = (AUTOENCODER.latent, AUTOENCODER.hidden), Streams(1).torch("weights")
    pair = Encoder(spans, *sizes, weights), Decoder(spans, *sizes, weights)
    return GhostAutoencoder(*pair, 0.5, RowChance(spans.width, Streams(1).torch("noise"), CPU))


def seconds(build: Callable[[Spans], torch.nn.Module], table: EncodedTable, private: bool) -> float:
    """Return the median CPU seconds of a step."""
    spans = Spans(table.layout, CPU)
    network, index, times = build(spans), place(spans), []
    optimizer = Adam(p for p in network.parameters() if p.requires_grad)

    def update(step: int) -> None:
        optimizer.step(1e-3)
        times.append(time.process_time())

    data = ExactTrainingData(table)
    if private:
        ledger = Ledger(PrivacyBudget(1.0, 1e-5))
        data = PrivateTrainingData(table, len(table), [], ledger, Noise())
    run = PrivateSteps(BATCH, STEPS + 3)
    data.train(network, lambda codes, _: network(index(codes)), run, update, CPU)
    return float(np.median(np.diff(times)[2:]))


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    frame = datasets.load("adult").iloc[:32561]
    rows = np.random.default_rng(0).permutation(32561)[:16280]
    train = frame.iloc[rows].reset_index(drop=True)
    schema = infer_schema(train)
    lines = [
        "| network | plain step, ms | step of DP-SGD, ms | times as long |",
        "|---|---|---|---|",
    ]
    for name, build in (("autoregressive", masked), ("tvae", autoencoder)):
        coding = models.get(name)().coding_for(1.0)
        codec = TableCodec.fit(schema, [train], coding)
        table = codec.encode(train, Streams(0).child("encode"))
        found = [[seconds(build, table, private) for private in (False, True)] for _ in range(RUNS)]
        plain, dp = np.median(found, axis=0) * 1e3
        lines.append(f"| {name} | {plain:.1f} | {dp:.1f} | {dp / plain:.2f} |")
        print(lines[-1], flush=True)
    text = f"# Steps of DP-SGD against plain steps, batches of {BATCH}\n\n" + "\n".join(lines)
    (RESULTS / "private_steps.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
