"""Read what evaluators said of control tables, and write who catches what as Markdown."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import controls

RUNS = Path(__file__).parent / "results" / "peer_evaluators.csv"
FEW = "fresh_few"
"""Fresh rows beside as few training rows as `tvae_overfitted` has."""
CONTROLS = controls.CONTROLS
CONTROLS.setdefault(
    FEW,
    controls.Control(
        FEW,
        False,
        "Fresh rows; one training row for ten unseen ones.",
        controls.fresh,
        sizes=CONTROLS["tvae_overfitted"].sizes,
    ),
)
LEAST = 5
"""Fresh tables that a range is made of, at least."""
TITLES = {
    "tabsynth": "tabsynth",
    "anonymeter": "anonymeter",
    "mostlyai": "mostlyai-qa",
    "sdmetrics": "sdmetrics",
    "synthcity": "synthcity",
}
SHOWN = ("full_copy", "copies_5", "copies_1", "outliers", "smote", "kernel_0.8", "independent")
"""Controls whose figures are printed."""
STOPPED = ("stopped after", "the adapter ended")
"""How problems begin that cost a whole run; others are told figure by figure."""
LEFT_OUT = frozenset({"inference, target", "inference, any column"})
"""Figures that repeat another one; they are shown but not part of the verdict."""

Row = dict[str, str]
Key = tuple[str, str, str, str]

TEXTS = Path(__file__).parent / "peer_evaluators"
"""What is written by hand: when a figure is an alarm, decided before the runs; and remarks."""


class Judgement(NamedTuple):
    """What the figures of a tool say of one table."""

    alarm: bool
    failed: bool


def known(path: Path) -> list[Row]:
    """Return the rows of the result table, none where there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Results:
    """The rows of the result table, by table, control, seed and tool."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)

    @cached_property
    def runs(self) -> dict[tuple[str, str, str, str, str], list[Row]]:
        found = defaultdict(list)
        for row in self.rows:
            key = (row["table"], row["control"], row["n"], row["seed"], row["tool"])
            found[key].append(row)
        return dict(found)

    @cached_property
    def fresh(self) -> dict[tuple[str, str, str, str, str], dict[str, float]]:
        """Values over fresh tables: by table, n, tool, figure and reference control, per seed."""
        found = defaultdict(dict)
        for row in self.rows:
            if row["control"] in ("fresh", FEW) and row["value"]:
                key = (row["table"], row["n"], row["tool"], row["figure"], row["control"])
                found[key][row["seed"]] = float(row["value"])
        return dict(found)

    def range_for(self, row: Row) -> tuple[float, float] | None:
        """Return the range of a figure over fresh tables, without that of the row itself."""
        control = CONTROLS[row["control"]]
        plain = CONTROLS["fresh"]
        if control.name in ("tvae_overfitted", FEW):
            reference = FEW
        elif control.source is plain.source and control.sizes[:2] == plain.sizes[:2]:
            reference = "fresh"
        else:
            return None
        values = self.fresh.get((row["table"], row["n"], row["tool"], row["figure"], reference), {})
        others = [
            value
            for seed, value in values.items()
            if row["control"] != reference or seed != row["seed"]
        ]
        return (min(others), max(others)) if len(others) >= LEAST else None

    def outside(self, row: Row) -> bool | None:
        """Return whether a figure without threshold is worse than over all fresh tables."""
        span = self.range_for(row)
        if row["rule"] not in ("low", "high") or span is None:
            return None
        if not row["value"]:
            return False
        value = float(row["value"])
        return value < span[0] if row["rule"] == "low" else value > span[1]

    def judge(self, rows: list[Row], kind: str) -> Judgement | None:
        """Return what the figures with ("alarm") or without ("range") a threshold say together."""
        rows = [row for row in rows if row["figure"] not in LEFT_OUT]
        if kind == "alarm":
            said = [row["alarm"] == "yes" for row in rows if row["rule"] == "alarm"]
        else:
            said = [out for row in rows if (out := self.outside(row)) is not None]
        failed = any(row["problem"].startswith(STOPPED) for row in rows)
        if not said:
            lost = failed or not any(row["value"] for row in rows)
            return Judgement(False, True) if lost else None
        return Judgement(any(said), failed)

    def kinds(self, tool: str) -> list[str]:
        """Return which kinds of figures a tool has."""
        rules = {row["rule"] for row in self.rows if row["tool"] == tool}
        return [
            kind
            for kind, names in (("alarm", {"alarm"}), ("range", {"low", "high"}))
            if rules & names
        ]

    def cell(self, control: str, tool: str, kind: str) -> tuple[str, int, int]:
        """Return a cell of the table, and how many of how many runs raised an alarm."""
        runs = [rows for key, rows in self.runs.items() if (key[1], key[4]) == (control, tool)]
        if not runs:
            return "", 0, 0
        said = [j for rows in runs if (j := self.judge(rows, kind)) is not None]
        if not said:
            return "-", 0, 0
        alarms = sum(j.alarm for j in said)
        failed = sum(j.failed and not j.alarm for j in said)
        total = len(said)
        leaks = CONTROLS[control].leaks
        words = ("caught", "missed") if leaks else ("false alarm", "quiet")
        if kind == "range":
            words = ("apart", "not apart" if leaks else "quiet")
        count = "" if alarms == total else f" {alarms} of {total}"
        text = f"{words[0]}{count}" if alarms else words[1] if failed < total else ""
        if failed:
            text = f"{text}; failed {failed} of {total}".removeprefix("; ")
        return text, alarms, total

    def cpu(self, tool: str) -> str:
        """Return CPU seconds per run: median and range."""
        sums = sorted(
            sum(float(row["cpu_seconds"]) for row in rows)
            for key, rows in self.runs.items()
            if key[4] == tool
        )
        return f"{sums[len(sums) // 2]:.1f} ({sums[0]:.1f} to {sums[-1]:.1f})" if sums else ""


def matrix(results: Results) -> list[str]:
    """Return the table of controls by tools."""
    tools = [tool for tool in TITLES if any(row["tool"] == tool for row in results.rows)]
    columns = [(tool, kind) for tool in tools for kind in results.kinds(tool)]
    heads = [
        TITLES[tool] if kind == "alarm" else f"{TITLES[tool]}, no threshold"
        for tool, kind in columns
    ]
    lines = [
        "| control | | runs | " + " | ".join(heads) + " |",
        "|---|---|---:|" + "---|" * len(heads),
    ]
    sums = {leaks: [[0, 0] for _ in columns] for leaks in (True, False)}
    for name, control in CONTROLS.items():
        keys = {key[:4] for key in results.runs if key[1] == name}
        if not keys:
            continue
        cells = []
        for place, (tool, kind) in enumerate(columns):
            text, alarms, total = results.cell(name, tool, kind)
            sums[control.leaks][place][0] += alarms
            sums[control.leaks][place][1] += total
            cells.append(text)
        kind = "leaks" if control.leaks else "clean"
        lines.append(f"| `{name}` | {kind} | {len(keys)} | " + " | ".join(cells) + " |")
    for leaks, title in ((True, "leaks caught or told apart"), (False, "false alarms")):
        told = [f"{alarms} of {total}" if total else "-" for alarms, total in sums[leaks]]
        lines.append(f"| **{title}** | | | " + " | ".join(told) + " |")
    seconds = [
        results.cpu(tool) if kind == results.kinds(tool)[0] else "" for tool, kind in columns
    ]
    lines.append("| CPU seconds a run, median (range) | | | " + " | ".join(seconds) + " |")
    return lines


def figures(results: Results) -> list[str]:
    """Return the table of figures: their values for one source, what they catch over all."""
    first = results.rows[0]["table"]
    lines = [
        f"| tool | figure | bad | fresh, {first} | "
        + " | ".join(f"`{name}`" for name in SHOWN)
        + " | leaks | clean |",
        "|---|---|---|---|" + "---:|" * len(SHOWN) + "---:|---:|",
    ]
    known_figures = dict.fromkeys((row["tool"], row["figure"], row["rule"]) for row in results.rows)
    failed_only = {
        key
        for key in known_figures
        if not key[2]
        and not any(row["value"] for row in results.rows if (row["tool"], row["figure"]) == key[:2])
    }
    order = list(TITLES)
    told = [key for key in known_figures if key not in failed_only]
    for tool, figure, rule in sorted(told, key=lambda key: order.index(key[0])):
        mine = [
            r for r in results.rows if (r["tool"], r["figure"], r["rule"]) == (tool, figure, rule)
        ]
        values = [
            float(r["value"])
            for r in mine
            if (r["table"], r["control"]) == (first, "fresh") and r["value"]
        ]
        shown = []
        for name in SHOWN:
            found = [
                r["value"]
                for r in mine
                if (r["table"], r["control"], r["seed"]) == (first, name, "0")
            ]
            shown.append(f"{float(found[0]):.3g}" if found and found[0] else "")
        counts = []
        for leaks in ("yes", "no"):
            said = [
                r["alarm"] == "yes" if rule == "alarm" else results.outside(r)
                for r in mine
                if r["leaks"] == leaks
            ]
            said = [out for out in said if out is not None] if rule else []
            counts.append(f"{sum(said)} of {len(said)}" if said else "-")
        bad = {"alarm": "alarm", "low": "low", "high": "high", "": "not judged"}[rule]
        span = f"{min(values):.3g} to {max(values):.3g}" if values else ""
        lines.append(
            f"| {TITLES[tool]} | {figure} | {bad} | {span} | "
            + " | ".join([*shown, *counts])
            + " |"
        )
    return lines


def problems(results: Results) -> list[str]:
    """Return what could not be computed, and how often."""
    counts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in results.rows:
        if row["problem"]:
            counts[(row["tool"], row["figure"], row["problem"])].append(row["control"])
    lines = []
    for (tool, figure, problem), names in counts.items():
        which = ", ".join(f"`{name}`" for name in dict.fromkeys(names))
        where = which if len(set(names)) <= 4 else f"{len(set(names))} controls"
        lines.append(f"- {TITLES[tool]}, {figure}, {len(names)} runs ({where}): {problem}")
    return lines or ["None."]


def write(path: Path) -> None:
    """Write the Markdown beside the result table."""
    results = Results(known(path))
    if not results.rows:
        raise SystemExit(f"{path} has no rows. Run `peer_evaluators.py run` first.")
    versions = {
        tool: ", ".join(
            sorted({r["version"] for r in results.rows if r["tool"] == tool and r["version"]})
        )
        for tool in TITLES
    }
    named = ", ".join(f"{TITLES[tool]} {version}" for tool, version in versions.items() if version)
    sizes = sorted({(row["table"], row["n"]) for row in results.rows})
    remarks = TEXTS / "remarks.md"
    lines = [
        "# Who catches what",
        "",
        "Written by `peer_evaluators.py report`.",
        "",
        f"Tools: {named}.",
        "Rows (training, unseen and synthetic each, where the control says nothing else): "
        + ", ".join(f"{table} {int(n):,}" for table, n in sizes)
        + ".",
        "",
        *matrix(results),
        "",
        "A cell counts runs: tables by seeds. A tool raises an alarm if any of its figures does.",
        "",
        "## When a figure is an alarm",
        "",
        (TEXTS / "rules.md").read_text(encoding="utf-8").rstrip(),
        "",
        "## Figure by figure",
        "",
        "Values for the first table; `leaks` and `clean` count over all tables and seeds.",
        "",
        *figures(results),
        "",
        "## What could not be computed",
        "",
        *problems(results),
        "",
    ]
    if remarks.exists():
        lines += [remarks.read_text(encoding="utf-8").rstrip(), ""]
    new = path.with_suffix(".md.new")
    new.write_text("\n".join(lines), encoding="utf-8")
    new.replace(path.with_suffix(".md"))
