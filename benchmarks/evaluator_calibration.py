"""Check by simulation that p-values of the evaluator are valid and that its intervals hold.

    python benchmarks/evaluator_calibration.py run
    python benchmarks/evaluator_calibration.py report

`run` simulates and writes `benchmarks/results/evaluator_calibration.csv`; `report` adds what clean
real tables say and writes a Markdown table beside it. `run` ends with a report.

*p-values*: every test is run on scores in which training rows and unseen rows are alike. A valid
p-value is at most a with a probability of at most a. Of the test that is exact up to a continuous
distribution a Kolmogorov-Smirnov test compares the p-values with uniform ones; discrete tests and
those that correct for several looks have larger p-values than uniform ones, as they should. The
p-values of whole findings come from the clean real tables of `evaluator_controls.py`.

*Intervals*: samples are drawn from distributions of which the truth is known, and it is counted how
often the interval of 95% holds it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import binom, kstest, norm

from tabsynth import datasets
from tabsynth.evaluation.advantage import advantage, by_area, by_top
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import Tally, exclusive, tails
from tabsynth.evaluation.extremes import extremes
from tabsynth.evaluation.fidelity import told_apart as apart
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.intervals import area, area_interval, clopper_pearson, reach
from tabsynth.evaluation.result import Interval
from tabsynth.evaluation.skill import everything, macro_area, percentiles, resample
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

RESULTS = Path(__file__).parent / "results"
NULLS = RESULTS / "evaluator_nulls.csv"
LEVELS = (0.01, 0.05, 0.1, 0.2)
KEY = ("table", "control", "n", "seed")
SURE = 1e-4
"""A share counts as too large or too small where chance explains it with less than this."""
Row = dict[str, object]
Rng = np.random.Generator


def scores(rng: Rng, m: int, n: int, kind: str) -> np.ndarray:
    """Return scores of m training and n unseen rows that are alike."""
    drawn = rng.normal(size=m + n)
    if kind == "ties":
        return rng.geometric(0.5, m + n).astype(float)
    return drawn * (rng.random(m + n) < 0.03) if kind == "few" else drawn


def split(test: Callable[[np.ndarray, np.ndarray], float], m: int, n: int, kind: str):
    """Return a test of two samples as a function of a generator."""

    def p_value(rng: Rng) -> float:
        drawn = scores(rng, m, n, kind)
        return test(drawn[:m], drawn[m:])

    return p_value


def exposed(m: int, n: int, kind: str):
    members = np.arange(m + n) < m
    return lambda rng: tails(scores(rng, m, n, kind), members)


def values(m: int, n: int, holders: int):
    """Return the test of values that one real table alone holds; each has about some holders."""

    def p_value(rng: Rng) -> float:
        made = rng.integers((m + n) // holders, size=m + 2 * n)
        return exclusive(made[:m], made[m : m + n], made[m + n :]).p_value

    return p_value


def attempts(m: int, n: int):
    """Return the test of attempts on rows; rows differ in how easily they are found."""

    def p_value(rng: Rng) -> float:
        tally, ease = Tally(m + n), rng.beta(0.5, 2, m + n)
        for _ in range(12):
            rows = np.flatnonzero(rng.random(m + n) < 0.3)
            tally.add(rows, rng.random(len(rows)) < ease[rows])
        return tally.p_value(np.arange(m + n) < m)

    return p_value


def ends(n: int, width: int, decimals: int):
    """Return the test of extremes, for fresh rows of rounded numbers."""
    schema = Schema(tuple(Column(f"x{place}", "number") for place in range(width)))

    def p_value(rng: Rng) -> float:
        import pandas as pd

        frames = {
            name: pd.DataFrame(rng.standard_t(4, (n, width)).round(decimals), columns=schema.names)
            for name in ("train", "holdout", "synthetic")
        }
        streams = Streams(int(rng.integers(2**31)))
        return extremes(Comparison.of(analyse(frames, schema), streams=streams)).p_value

    return p_value


TESTS = {
    ("area", "300 : 300, distinct scores"): (split(by_area, 300, 300, "distinct"), 1000),
    ("area", "500 : 100, distinct scores"): (split(by_area, 500, 100, "distinct"), 1000),
    ("area", "500 : 100, ties"): (split(by_area, 500, 100, "ties"), 1000),
    ("area", "100 : 500, ties"): (split(by_area, 100, 500, "ties"), 1000),
    ("area", "60 : 300, nearly all scores equal"): (split(by_area, 60, 300, "few"), 1000),
    ("top", "300 : 300, distinct scores"): (split(by_top, 300, 300, "distinct"), 1000),
    ("top", "500 : 100, ties"): (split(by_top, 500, 100, "ties"), 1000),
    ("advantage (area and top)", "300 : 300"): (split(advantage, 300, 300, "distinct"), 1000),
    ("advantage (area and top)", "100 : 500, ties"): (split(advantage, 100, 500, "ties"), 1000),
    ("Fisher over shares", "300 : 300"): (exposed(300, 300, "distinct"), 1000),
    ("Fisher over shares", "500 : 100, ties"): (exposed(500, 100, "ties"), 1000),
    ("values of one table alone", "500 : 500"): (values(500, 500, 2), 1000),
    ("values of one table alone", "500 : 100"): (values(500, 100, 2), 1000),
    ("attempts on rows", "300 : 300"): (attempts(300, 300), 1000),
    ("attempts on rows", "500 : 100"): (attempts(500, 100), 1000),
    ("lowest and highest numbers", "300 rows, 8 columns, 3 decimals"): (ends(300, 8, 3), 200),
    ("lowest and highest numbers", "300 rows, 8 columns, 1 decimal"): (ends(300, 8, 1), 200),
}
CONTINUOUS = {("area", "300 : 300, distinct scores"), ("area", "500 : 100, distinct scores")}


def of_p_values(kind: str, name: str, setting: str, found: np.ndarray, exact: bool) -> list[Row]:
    """Return rows on how often p-values are small."""
    rows: list[Row] = []
    for level in LEVELS:
        count = int((found <= level).sum())
        rows.append(
            {
                "kind": kind,
                "name": name,
                "setting": setting,
                "said": level,
                "observed": round(count / len(found), 4),
                "draws": len(found),
                "holds": "yes" if count <= binom.ppf(1 - SURE, len(found), level) else "no",
            }
        )
    if exact:
        p_value = float(kstest(found, "uniform").pvalue)
        rows.append(
            {
                "kind": "KS",
                "name": name,
                "setting": setting,
                "said": "uniform",
                "observed": round(p_value, 4),
                "draws": len(found),
                "holds": "yes" if p_value > SURE else "no",
            }
        )
    return rows


def simulated(streams: Streams, scale: float) -> Iterator[Row]:
    """Yield rows on the tests."""
    for (name, setting), (test, draws) in TESTS.items():
        rng = streams.numpy(f"{name} {setting}")
        found = np.array([test(rng) for _ in range(max(50, round(scale * draws)))])
        yield from of_p_values("test", name, setting, found, (name, setting) in CONTINUOUS)


def measured() -> Iterator[Row]:
    """Yield rows on the findings of clean real tables."""
    if not NULLS.is_file():
        return
    with NULLS.open(newline="") as file:
        runs = list(csv.DictReader(file))
    for name in (name for name in (runs[0] if runs else ()) if name not in KEY):
        found = np.array([float(run[name]) for run in runs if run[name]])
        yield from of_p_values("finding", name, "clean real tables", found, False)


def binomial(share: float, n: int):
    return lambda rng: (share, clopper_pearson(int(rng.binomial(n, share)), n))


def areas(shift: float, m: int, n: int, decimals: int | None = None):
    """Return an interval of the area for normal scores, rounded to give ties."""
    truth = float(norm.cdf(shift / 2**0.5))
    if decimals is not None:
        grid = np.arange(-9, 9, 10.0**-decimals)
        half = 10.0**-decimals / 2
        mine, theirs = (norm.cdf(grid + half - s) - norm.cdf(grid - half - s) for s in (shift, 0))
        truth = float((mine * (np.cumsum(theirs) - theirs / 2)).sum())

    def interval(rng: Rng) -> tuple[float, Interval]:
        members, others = rng.normal(shift, 1, m), rng.normal(0, 1, n)
        if decimals is not None:
            members, others = members.round(decimals), others.round(decimals)
        return truth, area_interval(*area(members, others), min(m, n))

    return interval


def reached(shift: float, m: int, n: int, rate: float):
    truth = float(norm.sf(norm.isf(rate) - shift))
    return lambda rng: (
        truth,
        reach(rng.normal(shift, 1, m), rng.normal(0, 1, n), rate, rng)[1],
    )


def rates(n: int, ease: float):
    """Return an interval of the share of attempts that succeed; rows differ."""

    def interval(rng: Rng) -> tuple[float, Interval]:
        tally, easy = Tally(n), rng.beta(ease, 4 * ease, n)
        for _ in range(10):
            rows = np.flatnonzero(rng.random(n) < 0.4)
            tally.add(rows, rng.random(len(rows)) < easy[rows])
        found = tally.rate(np.arange(n))
        assert found is not None
        return 0.2, found[1]

    return interval


def told_apart(n: int):
    """Return the interval of C2ST where there is nothing to tell apart."""
    schema = Schema((*(Column(f"x{i}", "number") for i in range(4)), Column("c", "category")))

    def interval(rng: Rng) -> tuple[float, Interval]:
        import pandas as pd

        frames = {}
        for name in ("real", "other"):
            rows = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.5, 0, 1], [0, 1, 1, 0.5]])
            frames[name] = pd.DataFrame(rows.round(1), columns=[f"x{i}" for i in range(4)])
            frames[name]["c"] = rng.choice(list("abc"), n)
        tables = analyse(frames, schema)
        found = apart(tables["real"], tables["other"], int(rng.integers(2**31)))
        return 0.5, area_interval(*found, n)

    return interval


def predicted(n: int):
    """Return the interval of TSTR for one model, asked about n rows of a population."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = datasets.load("adult")
    truth = (frame["income"] == ">50K").to_numpy(int)
    inputs = frame.select_dtypes("number").to_numpy(float)
    learner = HistGradientBoostingClassifier(max_iter=40, random_state=0)
    learner.fit(inputs[:4000], truth[:4000])
    odds, truth = learner.predict_proba(inputs[4000:]), truth[4000:]
    whole = float(macro_area(odds, truth)(everything(len(truth)))[0])

    def interval(rng: Rng) -> tuple[float, Interval]:
        rows = rng.choice(len(truth), n, replace=False)
        judge = macro_area(odds[rows], truth[rows])
        found = percentiles(float(judge(everything(n))[0]), judge(resample(n, rng)))
        assert found is not None
        return whole, found

    return interval


INTERVALS = {
    ("Clopper-Pearson", "share 0.5%, 400 rows"): (binomial(0.005, 400), 1000),
    ("Clopper-Pearson", "share 10%, 400 rows"): (binomial(0.1, 400), 1000),
    ("Clopper-Pearson", "share 50%, 30 rows"): (binomial(0.5, 30), 1000),
    ("AUC", "truth 0.5, 400 : 400"): (areas(0, 400, 400), 1000),
    ("AUC", "truth 0.76, 500 : 100"): (areas(1, 500, 100), 1000),
    ("AUC", "truth 0.98, 200 : 200"): (areas(3, 200, 200), 1000),
    ("AUC", "ties, 500 : 100"): (areas(0.5, 500, 100, 0), 1000),
    ("reach at 1%", "nothing, 800 : 800"): (reached(0, 800, 800, 0.01), 1000),
    ("reach at 1%", "truth 9%, 1,500 : 1,500"): (reached(1, 1500, 1500, 0.01), 1000),
    ("reach at 1%", "truth 37%, 2,000 : 600"): (reached(2, 2000, 600, 0.01), 1000),
    ("rate over rows", "200 rows"): (rates(200, 1.0), 1000),
    ("rate over rows", "1,000 rows, very unequal"): (rates(1000, 0.1), 1000),
    ("C2ST", "nothing to tell apart, 300 rows"): (told_apart(300), 60),
    ("TSTR", "300 rows of adult"): (lambda: predicted(300), 300),
    ("TSTR", "2,000 rows of adult"): (lambda: predicted(2000), 150),
}


def covered(streams: Streams, scale: float) -> Iterator[Row]:
    """Yield rows on the intervals."""
    for (name, setting), (interval, draws) in INTERVALS.items():
        drawn = interval() if name == "TSTR" else interval
        rng, total = streams.numpy(f"{name} {setting}"), max(50, round(scale * draws))
        held, widths = 0, []
        for _ in range(total):
            truth, span = drawn(rng)
            held += span.low <= truth <= span.high
            widths.append(span.high - span.low)
        yield {
            "kind": "interval",
            "name": name,
            "setting": setting,
            "said": 0.95,
            "observed": round(held / total, 4),
            "draws": total,
            "width": round(float(np.mean(widths)), 4),
            "holds": "yes" if held >= binom.ppf(SURE, total, 0.95) else "no",
        }


def write(rows: list[Row]) -> None:
    """Write all rows as CSV, and as Markdown one line for each test, finding and interval."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    path = RESULTS / "evaluator_calibration"
    new = path.with_suffix(".csv.new")
    with new.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(path.with_suffix(".csv"))
    lines = ["# Calibration of the evaluator", "", "Written by `evaluator_calibration.py`."]
    titles = {
        "test": "Tests on simulated scores where nothing leaks",
        "finding": "Findings on clean real tables",
    }
    heads = " | ".join(f"P(p ≤ {level:g})" for level in LEVELS)
    for kind, title in titles.items():
        lines += ["", f"## {title}", "", f"| test | setting | draws | {heads} | KS | valid |"]
        lines.append("|---|---|---:|" + "---:|" * len(LEVELS) + "---:|---|")
        for name, setting in dict.fromkeys(
            (row["name"], row["setting"]) for row in rows if row["kind"] == kind
        ):
            some = [row for row in rows if (row["name"], row["setting"]) == (name, setting)]
            shares = [f"{float(row['observed']):.3f}" for row in some if row["kind"] == kind]
            ks = next((f"{float(row['observed']):.2f}" for row in some if row["kind"] == "KS"), "")
            valid = "yes" if all(row["holds"] == "yes" for row in some) else "no"
            cells = [name, setting, f"{int(some[0]['draws']):,}", *shares, ks, valid]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "## Intervals of 95%",
        "",
        "| interval | setting | draws | covers | width | holds |",
    ]
    lines.append("|---|---|---:|---:|---:|---|")
    for row in rows:
        if row["kind"] == "interval":
            cells = [row["name"], row["setting"], f"{int(row['draws']):,}"]
            cells += [f"{float(row['observed']):.1%}", f"{float(row['width']):.3f}", row["holds"]]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    new = path.with_suffix(".md.new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(path.with_suffix(".md"))


PARTS = {"tests": (simulated, ("test", "KS")), "intervals": (covered, ("interval",))}
"""What can be simulated by itself, and the kinds of rows that come of it."""


def report(rows: list[Row]) -> None:
    """Write simulated rows together with those of clean real tables."""
    kept = [row for row in rows if row["kind"] != "finding"]
    first = [row for row in kept if row["kind"] != "interval"]
    write([*first, *measured(), *(row for row in kept if row["kind"] == "interval")])


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("run", "report"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer draws")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    options = parser.parse_args()
    path, rows = RESULTS / "evaluator_calibration.csv", []
    if path.is_file():
        with path.open(newline="") as file:
            rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    if options.verb == "run":
        streams = Streams(options.seed).child("calibration")
        kinds = [kind for part in options.parts for kind in PARTS[part][1]]
        rows = [row for row in rows if row["kind"] not in kinds]
        for part in options.parts:
            for row in PARTS[part][0](streams, options.scale):
                rows.append(row)
                print(row, flush=True)
        RESULTS.mkdir(exist_ok=True)
    report(rows)


if __name__ == "__main__":
    main()
