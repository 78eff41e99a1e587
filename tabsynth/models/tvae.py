"""proto"""
from __future__ import annotations
from dataclasses import dataclass
from typing import Self
import numpy as np, torch, time
from torch import nn
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.neural.device import choose_device
from tabsynth.models.neural.heads import NEVER, cross_entropy, draw, softmax
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.mixture import Mixture, fit_mixture
from tabsynth.models.neural.offsets import OffsetHead
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import batches, cosine_rate, run_steps
from tabsynth.monitor import ignore

@dataclass(frozen=True)
class TVAEParameters(HyperParameters):
    coding: str = "bins"
    latent: int = 64
    hidden: int = 256
    beta: float = 1.0
    rate: float = 2e-3
    batch: int = 500
    epochs: int = 100
    components: int = 20
    ema: float = 0.998
    decay: float = 1e-2
    warm: int = 300
    calibrate: int = 5
    act: str = "relu"
    dropout: float = 0.0
    res: bool = False
    shift: bool = True
    enc: int = 0

class Body(nn.Module):
    def __init__(self, p, g):
        super().__init__()
        H=p.hidden
        self.a = Linear(p.latent, H, g, 2**.5); self.b = Linear(H, H, g, 2**.5)
        self.p = p; self.g = None
    def forward(self, z):
        f = {"relu": torch.relu, "gelu": nn.functional.gelu, "silu": nn.functional.silu, "leaky": nn.functional.leaky_relu}[self.p.act]
        h = f(self.a(z))
        h2 = f(self.b(h))
        if self.p.res: h2 = h2 + h
        if self.training and self.p.dropout:
            h2 = h2 * (torch.rand(h2.shape, generator=self.g) > self.p.dropout) / (1-self.p.dropout)
        return h2

@models.register("tvae")
class TVAE(Model):
    name="tvae"; description="x"; parameters_type = TVAEParameters
    @property
    def coding(self): return Coding(self.parameters.coding, 32, 16)
    def fit(self, data, streams, monitor=ignore):
        t0=time.time()
        p = self.parameters; table = data.table(); dev = choose_device("cpu")
        self.layout = data.layout; S = self.spans = Spans(data.layout, dev)
        g = streams.torch("init"); self.noise = n = streams.torch("noise")
        index = S.index(table.codes); offsets = torch.from_numpy(table.offsets)
        N = len(index); H = p.hidden
        f = {"relu": torch.relu, "gelu": nn.functional.gelu, "silu": nn.functional.silu, "leaky": nn.functional.leaky_relu}[p.act]
        E = p.enc or H
        self.inp = RowInputs(S, E, g); self.e1 = Linear(E, E, g, 2**.5); self.e2 = Linear(E, 2*p.latent, g, .1)
        self.body = Body(p, g); self.body.g = streams.torch("dropout"); self.head = Linear(H, S.width, g, .1)
        meant = S.meant(index)
        count = torch.zeros(S.width).index_add_(0, index.long().reshape(-1), meant.float().reshape(-1))
        tot = torch.zeros(S.width)
        for b, nn_ in zip(S.buckets, S.views(count[None])): tot[b.start:b.stop] = nn_.sum(-1, keepdim=True).expand_as(nn_).reshape(-1)
        self.real = count / tot.clamp_min(1); self.seen = count > 0
        with torch.no_grad(): self.head.bias.copy_(torch.where(self.seen, self.real.clamp_min(1e-30).log(), NEVER))
        self.off = OffsetHead(S, H if p.shift else 0, g)
        ocodes = S.offset_codes(index)
        if S.n_continuous: self.off.start_at(ocodes, offsets)
        mods = nn.ModuleList([self.inp, self.e1, self.e2, self.body, self.head, self.off])
        opt = Adam(mods.parameters(), decay=p.decay, average=p.ema)
        B = min(p.batch, N); steps = p.epochs*N//B
        self.mods=mods
        src = batches(N, B, streams.torch("batches"), dev)
        def enc(i, o):
            h = f(self.inp(i, o)); h2 = f(self.e1(h))
            if p.res: h2 = h2+h
            m, l = self.e2(h2).chunk(2, 1)
            return m, l.clamp(-8, 4)
        def update(step):
            r = next(src); i = index[r]; o = offsets[r]; ix = i.long()
            m, l = enc(i, o)
            z = m + torch.randn(m.shape, generator=n) * torch.exp(.5*l)
            h = self.body(z)
            ce = cross_entropy(self.head(h), ix, S)
            if S.levels: ce = ce * S.meant(ix)
            rec = ce.sum(1).mean()
            if S.n_continuous: rec = rec + self.off.loss(h, S.offset_codes(ix), o).sum(1).mean()
            kl = .5*(m*m + l.exp() - 1 - l).sum(1).mean()
            loss = rec + p.beta*min(1, step/p.warm)*kl
            opt.clear(); loss.backward(); opt.step(p.rate*cosine_rate(step, steps, 50))
            return {"rec": rec, "kl": kl}
        mods.train()
        self.history = run_steps("training tvae", steps, update, monitor)
        opt.use_average(); mods.eval()
        t1=time.time()
        with torch.inference_mode():
            pick = torch.randperm(N, generator=n)[:20000]
            parts = [enc(index[q], offsets[q]) for q in pick.split(4000)]
            m = torch.cat([a for a,_ in parts]); v = torch.cat([b for _,b in parts]).exp()
            self.active = (m.var(0) > 0.01)
            if p.components and self.active.any():
                self.mix = fit_mixture(m[:, self.active], p.components, n, noise=v[:, self.active])
            else: self.mix = None
            t2=time.time()
            if p.calibrate:
                hid = self.body(self.latent(20000, n))
                for _ in range(p.calibrate):
                    acc = torch.zeros(S.width)
                    for q in hid.split(2000):
                        s = softmax(self.head(q), S)
                        if S.levels:
                            w = self.alive(s); s = s*w
                        acc += s.sum(0)
                    for b, v_ in zip(S.buckets, S.views(acc[None])): v_.div_(v_.sum(-1, keepdim=True))
                    ratio = (self.real.clamp_min(1e-30)/acc.clamp_min(1e-9)).log().clamp(-1,1)
                    self.head.bias.add_(torch.where(self.seen, ratio, torch.zeros(())))
        self.times = dict(train=round(t1-t0,1), mix=round(t2-t1,1), cal=round(time.time()-t2,1), steps=steps, active=int(self.active.sum()))
        return self
    def alive(self, s):
        S = self.spans
        out = torch.ones_like(s)
        W = torch.ones(len(s), S.n_blocks)
        for ch, pa in S.levels:
            for c, p_ in zip(ch.tolist(), pa.tolist()):
                a = int(S.starts[p_]); z = int(S.sizes[p_])
                W[:, c] = W[:, p_] * (s[:, a:a+z] * S.refined[a:a+z]).sum(1)
        col=0
        for b in S.buckets:
            for k in range(b.count):
                out[:, b.start+k*b.width:b.start+(k+1)*b.width] = W[:, col, None]; col+=1
        return out
    def latent(self, n, g):
        z = torch.randn((n, self.parameters.latent), generator=g)
        if self.mix is not None: z[:, self.active] = self.mix.draw(n, g)
        return z
    def sample(self, n_rows, streams, monitor=ignore):
        S = self.spans; g = streams.torch("s"); C=[]; O=[]
        with torch.inference_mode():
            for s in range(0, n_rows, 4000):
                h = self.body(self.latent(min(4000, n_rows-s), g))
                i = draw(self.head(h), S, g)
                C.append(S.codes(i)); O.append(self.off.draw(h, S.offset_codes(i), g).numpy() if S.n_continuous else np.zeros((len(i),0),np.float32))
        return EncodedTable(np.concatenate(C), np.concatenate(O), self.layout)
    def state(self): ...
    @classmethod
    def from_state(cls, parameters, layout, state): ...
