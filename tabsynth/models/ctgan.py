"""CTGAN: a conditional adversarial network for tables, trained by sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.neural.conditions import Conditions, draw_conditions
from tabsynth.models.neural.device import DEVICES, choose_device, read_weights, to_numpy
from tabsynth.models.neural.device import write_weights
from tabsynth.models.neural.heads import CodeHead, cross_entropy, draw, draw_gumbel, softmax
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear, uniform
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import plan, run_steps, cosine_rate
from tabsynth.models.neural.validation import check_choice, check_integer, check_real
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams


@dataclass(frozen=True)
class CTGANParameters(HyperParameters):
    """Hyper-parameters."""

    coding: str = "modes"
    noise: int = 128
    hidden: int = 256
    embedding: int = 128
    pac: int = 10
    penalty: float = 10.0
    lazy: int = 1
    temperature: float = 0.2
    dropout: float = 0.5
    learning_rate: float = 2e-4
    critic_rate: float = 2e-4
    average: float = 0.998
    epochs: int | None = None
    batch_size: int | None = 500
    device: str = "auto"
    norm: str = "bn"
    hard: bool = False
    b1: float = 0.5
    b2: float = 0.9
    cosine: bool = False
    ncrit: int = 1
    ce: float = 1.0
    eact: bool = True
    skip: bool = True
    gain: float = 0.1
    cal: int = 6


class Generator(nn.Module):
    def __init__(self, spans, p, n_conditions, generator):
        super().__init__()
        self.spans, self.p = spans, p
        ce = min(n_conditions, 64)
        H = p.hidden
        self.condition = uniform((n_conditions, ce), 1.7, generator)
        D = p.noise + ce
        s = p.skip
        self.first = Linear(D, H, generator, 2**0.5)
        self.second = Linear(H + s * D, H, generator, 2**0.5)
        self.codes = CodeHead(spans, 2 * H + D if s else H, generator, p.gain)
        self.offsets = Linear(2 * H + D if s else H, spans.n_slots, generator, p.gain)
        N = {
            "bn": lambda: nn.BatchNorm1d(H),
            "ln": lambda: nn.LayerNorm(H),
            "none": lambda: nn.Identity(),
        }[p.norm]
        self.na = N()
        self.nb = N()

    def body(self, z, k):
        x = torch.cat([z, self.condition[k]], 1) if len(self.condition) else z
        h = torch.relu(self.na(self.first(x)))
        if self.p.skip:
            h = torch.cat([h, x], 1)
        g = torch.relu(self.nb(self.second(h)))
        return torch.cat([g, h], 1) if self.p.skip else g


class Critic(nn.Module):
    def __init__(self, spans, p, n_conditions, generator):
        super().__init__()
        self.p = p
        E, H = p.embedding, p.hidden
        self.rows = RowInputs(spans, E, generator)
        self.condition = uniform((n_conditions, E), 0.5, generator)
        self.pack = Linear(E * p.pac, H, generator, 2**0.5)
        self.inner = Linear(H, H, generator, 2**0.5)
        self.outer = Linear(H, 1, generator)

    def forward(self, y, o, k, g):
        h = self.rows.soft(y, o)
        if len(self.condition):
            h = h + self.condition[k]
        if self.p.eact:
            h = nn.functional.leaky_relu(h, 0.2)
        h = h.reshape(len(h) // self.p.pac, -1)
        for l in (self.pack, self.inner):
            h = nn.functional.leaky_relu(l(h), 0.2)
            if self.p.dropout:
                h = h * (torch.rand(h.shape, generator=g) > self.p.dropout) / (1 - self.p.dropout)
        return self.outer(h)[:, 0]


@models.register("ctgan")
class CTGAN(Model):
    name = "ctgan"
    description = "Conditional adversarial network."
    parameters_type = CTGANParameters
    parameters: CTGANParameters

    @property
    def coding(self):
        return (
            Coding(self.parameters.coding, 10)
            if self.parameters.coding == "modes"
            else Coding("bins", 32, 16)
        )

    def fit(self, data, streams, monitor=ignore):
        p = self.parameters
        table = data.table()
        self._layout = data.layout
        dev = choose_device(p.device)
        S = self.spans = Spans(data.layout, dev)
        index = S.index(table.codes)
        offsets = torch.from_numpy(table.offsets)
        slots = S.slots(index)
        shares = read_shares(index, S)
        C = Conditions(index, S)
        w = streams.torch("weights")
        G = self.G = Generator(S, p, len(C), w)
        D = Critic(S, p, len(C), w)
        G.codes.start_at(shares)
        og = Adam(G.parameters(), betas=(p.b1, p.b2), decay=1e-6, average=p.average, clip=1e4)
        od = Adam(D.parameters(), betas=(p.b1, p.b2), decay=1e-6, clip=1e4)
        N = len(index)
        B = min(p.batch_size, N) // p.pac * p.pac
        steps = (p.epochs or 100) * N // B
        n = streams.torch("noise")
        if len(C):
            loge = C.weights(logarithmic=True).cumsum(0)
            self.reale = C.weights(logarithmic=False).cumsum(0)
        used = torch.zeros(S.n_slots + 1, dtype=torch.bool)
        used[slots[offsets != 0]] = True
        used[-1] = False
        self.used = used

        def cond(real=False):
            return draw_conditions(B, self.reale if real else loge, n) if len(C) else None

        def real(k):
            r = C.rows(k, n) if k is not None else torch.randint(N, (B,), generator=n)
            y = torch.zeros(B, S.width).scatter_(1, index[r].long(), 1.0)
            o = torch.zeros(B, S.n_slots + 1).scatter_(1, slots[r], offsets[r])
            return y, o[:, :-1]

        def fake(k):
            h = G.body(torch.randn((B, p.noise), generator=n), k)
            L = G.codes(h)
            y = softmax((L + draw_gumbel(L.shape, n, dev)) / p.temperature, S)
            if p.hard:
                hd = torch.cat(
                    [
                        torch.zeros_like(v).scatter_(2, v.argmax(-1, keepdim=True), 1.0).flatten(1)
                        for v in S.views(y.detach())
                    ],
                    1,
                )
                y = y + (hd - y).detach()
            return L, y, torch.tanh(G.offsets(h)) * y[:, S.slot_positions] * used[:-1]

        def update(step):
            f = cosine_rate(step, steps, 1) if p.cosine else 1.0
            out = {}
            for _ in range(p.ncrit):
                k = cond()
                y, o = real(k)
                with torch.no_grad():
                    _, fy, fo = fake(k)
                od.clear()
                kk = torch.cat([k, k]) if k is not None else None
                s = D(torch.cat([y, fy]), torch.cat([o, fo]), kk, n)
                m = len(s) // 2
                loss = s[m:].mean() - s[:m].mean()
                out["gap"] = -loss.detach()
                if step % p.lazy == 0:
                    a = (
                        torch.rand((B // p.pac, 1, 1), generator=n)
                        .expand(-1, p.pac, 1)
                        .reshape(B, 1)
                    )
                    my = torch.lerp(y, fy, a).requires_grad_()
                    mo = torch.lerp(o, fo, a).requires_grad_()
                    gy, go = torch.autograd.grad(D(my, mo, k, n).sum(), (my, mo), create_graph=True)
                    norm = (
                        (gy.square().sum(1) + go.square().sum(1))
                        .reshape(-1, p.pac)
                        .sum(1)
                        .add(1e-12)
                        .sqrt()
                    )
                    pen = (norm - 1).square().mean()
                    loss = loss + p.penalty * p.lazy * pen
                    out["pen"] = pen.detach() * p.lazy
                loss.backward()
                od.step(p.critic_rate * f)
            k = cond()
            L, y, o = fake(k)
            D.requires_grad_(False)
            s = D(y, o, k, n)
            D.requires_grad_(True)
            loss = -s.mean()
            if k is not None:
                t = S.starts.expand(B, -1).scatter(
                    1, C.columns[k][:, None], C.positions[k][:, None]
                )
                ce = cross_entropy(L, t, S).gather(1, C.columns[k][:, None]).mean()
                loss = loss + p.ce * ce
                out["ce"] = ce.detach()
            og.clear()
            loss.backward()
            og.step(p.learning_rate * f)
            return out

        self.loss_history_ = run_steps("training ctgan", steps, update, monitor)
        og.use_average()
        with torch.no_grad():
            if p.norm == "bn":
                for b in (G.na, G.nb):
                    b.reset_running_stats()
                    b.momentum = None
                for _ in range(20):
                    G.body(torch.randn((B, p.noise), generator=n), cond(True))
            G.eval()
            calibrate(
                G.codes,
                lambda: [
                    G.body(torch.randn((B, p.noise), generator=n), cond(True)) for _ in range(20)
                ],
                shares,
                S,
                p.cal,
            )
        return self

    def sample(self, n_rows, streams, monitor=ignore):
        S = self.spans
        g = streams.torch("s")

        def make(c):
            k = draw_conditions(c, self.reale, g)
            h = self.G.body(torch.randn((c, self.parameters.noise), generator=g), k)
            i = draw(self.G.codes(h), S, g)
            o = (
                torch.cat([torch.tanh(self.G.offsets(h)), torch.zeros(c, 1)], 1).gather(
                    1, S.slots(i)
                )
                * self.used[S.slots(i)]
            )
            return i, o

        return sample_in_chunks("x", make, n_rows, S, monitor)

    def state(self): ...
    @classmethod
    def from_state(cls, parameters, layout, state): ...
