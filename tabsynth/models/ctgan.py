"""proto"""
from __future__ import annotations
from dataclasses import dataclass
from typing import Self
import numpy as np, torch, time, math
from torch import nn
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.table import EncodedTable
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.neural.device import choose_device
from tabsynth.models.neural.heads import NEVER, cross_entropy, draw, softmax, draw_gumbel
from tabsynth.models.neural.linear import Linear, uniform
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import batches, cosine_rate, run_steps
from tabsynth.monitor import ignore

@dataclass(frozen=True)
class CTGANParameters(HyperParameters):
    coding: str = "modes"
    noise: int = 128
    hidden: int = 256
    embed: int = 128      # 0: direct
    pac: int = 10
    grate: float = 2e-4
    drate: float = 2e-4
    b1: float = 0.5
    b2: float = 0.9
    batch: int = 500
    epochs: int = 100
    ema: float = 0.998
    lam: float = 10.0
    lazy: int = 1
    norm: str = "bn"
    hard: bool = False
    tau: float = 0.2
    drop: float = 0.5
    skip: bool = True
    cosine: bool = False
    calibrate: int = 5
    cond: str = "discrete"
    eact: bool = True
    ncrit: int = 1
    ce: float = 1.0
    minibatch: bool = False

class Conditions:
    def __init__(self, S, index, cols):
        self.S = S; n = len(index)
        sizes = S.sizes[cols]; 
        pos=[]; order=[]; cnt=[]; logw=[]; realw=[]; colof=[]; start=[]
        base=0
        for c in cols.tolist():
            ix = index[:, c].long(); a = int(S.starts[c]); k=int(S.sizes[c])
            count = torch.bincount(ix - a, minlength=k); order.append(torch.argsort(ix, stable=True)); 
            start.append(base + count.cumsum(0)-count); base += n
            cnt.append(count); pos.append(a+torch.arange(k)); w=(count.double()+1).log()*(count>0); logw.append(w/w.sum()/len(cols)); realw.append(count.double()/n/len(cols)); colof.append(torch.full((k,), c))
        self.order=torch.cat(order); self.start=torch.cat(start); self.count=torch.cat(cnt); self.pos=torch.cat(pos); self.logc=torch.cat(logw).cumsum(0); self.realc=torch.cat(realw).cumsum(0); self.col=torch.cat(colof)
    def draw(self, n, g, real=False):
        c = self.realc if real else self.logc
        u = torch.rand(n, generator=g, dtype=torch.float64)*c[-1]
        k = torch.searchsorted(c, u, right=True).clamp_max(len(c)-1)
        return k
    def rows(self, k, g):
        u = torch.rand(len(k), generator=g, dtype=torch.float64)
        return self.order[self.start[k] + (u*self.count[k]).long()]

class Gen(nn.Module):
    def __init__(self, p, S, ncond, g):
        super().__init__(); self.p=p; self.S=S
        H=p.hidden; ce=min(ncond, 128); self.ncond=ncond
        self.cond = uniform((ncond, ce), math.sqrt(3)*.5, g) if ncond else None
        D = p.noise+ce
        self.a=Linear(D,H,g,2**.5); self.b=Linear(H+(D if p.skip else 0),H,g,2**.5)
        F = (2*H+D) if p.skip else H
        self.code=Linear(F,S.width,g,.3); self.off=Linear(F,S.n_continuous,g,.3)
        N = {"bn": lambda: nn.BatchNorm1d(H), "ln": lambda: nn.LayerNorm(H), "none": lambda: nn.Identity()}[p.norm]
        self.na=N(); self.nb=N()
    def forward(self, z, k):
        x = torch.cat([z, self.cond[k]],1) if self.ncond else z
        h=torch.relu(self.na(self.a(x)))
        x1=torch.cat([h,x],1) if self.p.skip else h
        h2=torch.relu(self.nb(self.b(x1)))
        x2=torch.cat([h2,x1],1) if self.p.skip else h2
        return self.code(x2), torch.tanh(self.off(x2))

class Critic(nn.Module):
    def __init__(self, p, S, ncond, g):
        super().__init__(); self.p=p; self.S=S; H=p.hidden; W=S.width+S.n_continuous
        self.W=W; E=p.embed; self.gd=None
        D = E if E else H
        b = math.sqrt(3/(S.n_blocks+len(S.offset_columns)))
        self.w = uniform((W, E) if E else (p.pac*W, H), b if E else b/p.pac**.5, g)
        self.c = uniform((ncond, D), .5, g) if ncond else None
        self.bias = nn.Parameter(torch.zeros(D))
        self.l1 = Linear(p.pac*E, H, g, 2**.5) if E else None
        self.l2 = Linear(H,H,g,2**.5); self.l3=Linear(H,1,g)
    def forward(self, rows, k):
        p=self.p
        if self.p.embed:
            h = rows@self.w + self.bias
            if self.c is not None: h = h+self.c[k]
            if p.eact: h = nn.functional.leaky_relu(h,.2)
            h = h.reshape(len(rows)//p.pac, -1)
            h = self.do(nn.functional.leaky_relu(self.l1(h),.2))
        else:
            h = rows.reshape(len(rows)//p.pac,-1)@self.w + self.bias
            if self.c is not None: h = h+self.c[k].reshape(len(h), p.pac, -1).sum(1)
            h = self.do(nn.functional.leaky_relu(h,.2))
        h = self.do(nn.functional.leaky_relu(self.l2(h),.2))
        return self.l3(h)[:,0]
    def do(self, h):
        if not self.p.drop: return h
        return h*(torch.rand(h.shape, generator=self.gd) > self.p.drop)/(1-self.p.drop)

@models.register("ctgan")
class CTGAN(Model):
    name="ctgan"; description="x"; parameters_type=CTGANParameters
    @property
    def coding(self): return Coding(self.parameters.coding, 10)
    def fit(self, data, streams, monitor=ignore):
        p=self.parameters; t0=time.time(); table=data.table(); dev=choose_device("cpu"); self.layout=data.layout
        S=self.spans=Spans(data.layout, dev); g=streams.torch("init"); n=streams.torch("noise")
        index=S.index(table.codes); offsets=torch.from_numpy(table.offsets); N=len(index)
        hasoff=torch.zeros(S.n_blocks,dtype=torch.bool); hasoff[S.offset_columns]=True
        cols=torch.arange(S.n_blocks) if p.cond=="all" else (~hasoff).nonzero()[:,0]
        C=self.C=Conditions(S,index,cols)
        nc=len(C.pos)
        count=torch.bincount(index.long().reshape(-1), minlength=S.width).float(); real=count/N; seen=count>0
        self.real=real; self.seen=seen
        G=self.G=Gen(p,S,nc,g); D=Critic(p,S,nc,g); D.gd=streams.torch("drop")
        with torch.no_grad(): G.code.bias.copy_(torch.where(seen, real.clamp_min(1e-30).log(), NEVER))
        og=Adam(G.parameters(),betas=(p.b1,p.b2),decay=1e-6,average=p.ema,clip=1e3); od=Adam(D.parameters(),betas=(p.b1,p.b2),decay=1e-6,clip=1e3)
        B=min(p.batch, N)//p.pac*p.pac; steps=p.epochs*N//B
        contpos=torch.zeros(S.n_continuous,dtype=torch.long); 
        m=S.continuous<S.n_continuous; contpos[S.continuous[m]]=m.nonzero()[:,0]
        self.contpos=contpos
        ocodes=S.offset_codes(index)
        def realrows(r):
            i=index[r].long(); x=torch.zeros(len(r), S.width+S.n_continuous+1)
            x.scatter_(1,i,1.)
            x.scatter_(1, ocodes[r]+S.width, offsets[r])
            return x[:,:-1]
        def fake(k):
            z=torch.randn((len(k),p.noise),generator=n)
            L,o=G(z,k)
            y=softmax((L+draw_gumbel(L.shape,n,dev))/p.tau,S)
            if p.hard:
                col=0; parts=[]
                for v in S.views(y.detach()):
                    parts.append(torch.zeros_like(v).scatter_(2, v.argmax(-1,keepdim=True),1.).flatten(1))
                y=y+(torch.cat(parts,1)-y).detach()
            return L, torch.cat([y, o*y[:,contpos]],1)
        def update(step):
            f = cosine_rate(step,steps,1) if p.cosine else 1.
            out={}
            for _ in range(p.ncrit):
                k=C.draw(B,n); x=realrows(C.rows(k,n))
                with torch.no_grad(): _,y=fake(k)
                od.clear()
                s=D(torch.cat([x,y]),torch.cat([k,k])); h=len(s)//2
                loss=s[h:].mean()-s[:h].mean(); out["gap"]=-loss.detach()
                if step%p.lazy==0:
                    a=torch.rand((B//p.pac,1,1),generator=n).expand(-1,p.pac,1).reshape(B,1)
                    mix=torch.lerp(x,y,a).requires_grad_(True)
                    gr,=torch.autograd.grad(D(mix,k).sum(),mix,create_graph=True)
                    pen=((gr.reshape(B//p.pac,-1).norm(dim=1)-1)**2).mean()
                    loss=loss+p.lam*p.lazy*pen; out["pen"]=pen.detach()*p.lazy
                loss.backward(); od.step(p.drate*f)
            k=C.draw(B,n); L,y=fake(k)
            D.requires_grad_(False); sc=D(y,k); D.requires_grad_(True)
            index_k=C.pos[k]; col=C.col[k]
            ti=S.starts.expand(B,-1).clone(); ti[torch.arange(B),col]=index_k
            ce=cross_entropy(L,ti,S).gather(1,col[:,None]).mean() if nc else 0
            loss=-sc.mean()+p.ce*ce
            og.clear(); loss.backward(); og.step(p.grate*f)
            out["ce"]=ce.detach(); return out
        G.train(); self.history=run_steps("training ctgan",steps,update,monitor)
        t1=time.time(); og.use_average()
        with torch.no_grad():
            if p.norm=="bn":
                for b in (G.na,G.nb): b.reset_running_stats(); b.momentum=None
                for _ in range(20): k=C.draw(1000,n,True); G(torch.randn((1000,p.noise),generator=n),k)
            G.eval()
            for _ in range(p.calibrate):
                acc=torch.zeros(S.width)
                for _ in range(10): k=C.draw(2000,n,True); acc+=softmax(G(torch.randn((2000,p.noise),generator=n),k)[0],S).sum(0)
                for v in S.views(acc[None]): v.div_(v.sum(-1,keepdim=True))
                G.code.bias.add_(torch.where(seen,(real.clamp_min(1e-30)/acc.clamp_min(1e-9)).log().clamp(-1,1),torch.zeros(())))
        self.times=dict(steps=steps,train=round(t1-t0,1)); return self
    def sample(self, n_rows, streams, monitor=ignore):
        S=self.spans; g=streams.torch("s"); Cc=[];O=[]
        with torch.inference_mode():
            for s in range(0,n_rows,4000):
                q=min(4000,n_rows-s); k=self.C.draw(q,g,True); L,o=self.G(torch.randn((q,self.parameters.noise),generator=g),k)
                i=draw(L,S,g); Cc.append(S.codes(i)); oc=S.offset_codes(i); O.append((torch.cat([o,torch.zeros(q,1)],1).gather(1,oc)).numpy())
        return EncodedTable(np.concatenate(Cc),np.concatenate(O),self.layout)
    def state(self): ...
    @classmethod
    def from_state(cls, parameters, layout, state): ...
