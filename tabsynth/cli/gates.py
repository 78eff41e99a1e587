"""Gates: values that scores must not fall behind, for use in pipelines."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tabsynth.cli.terminal import Terminal
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    from tabsynth.evaluation.base import Measure
    from tabsynth.evaluation.result import Evaluation, Score

FAILED = 5
"""Exit code where a score fails its gate."""


@dataclass(frozen=True)
class Gate:
    """A value that a score must not fall behind.

    Attributes
    ----------
    name : str
        Of the score.
    threshold : float
    """

    name: str
    threshold: float

    def failure(self, score: Score) -> str | None:
        """Return why `score` fails, or None where it passes.

        A score without a value fails: nothing is known in its favour.
        """
        if score.value is None:
            why = score.problem.rstrip(".") or "it has no value"
            return f"{self.name} could not be computed: {why}."
        value, limit = score.value, self.threshold
        if score.better == "lower":
            passed, wanted = value <= limit, f"at most {limit:g}"
        elif score.better == "higher":
            passed, wanted = value >= limit, f"at least {limit:g}"
        else:
            span = abs(limit - 0.5)
            passed = abs(value - 0.5) <= span + 1e-12
            wanted = f"between {0.5 - span:g} and {0.5 + span:g}"
        return None if passed else f"{self.name} is {value:.4g}; {wanted} was asked for."


def read_gates(texts: Sequence[str] | None) -> list[Gate]:
    """Return what --fail-under says.

    Raises
    ------
    ConfigError
        If a text is not NAME=VALUE with a number.

    Examples
    --------
    >>> read_gates(["c2st=0.7"])
    [Gate(name='c2st', threshold=0.7)]
    """
    gates = []
    for text in texts or ():
        name, mark, value = text.partition("=")
        try:
            threshold = float(value)
        except ValueError:
            threshold = math.nan
        if not mark or not name.strip() or not math.isfinite(threshold):
            raise ConfigError(
                f"--fail-under takes SCORE=VALUE with a number, such as c2st=0.7. Got {text!r}."
            )
        gates.append(Gate(name.strip(), threshold))
    return gates


def check_gates(gates: Sequence[Gate], evaluation: Evaluation) -> list[str]:
    """Return a sentence for every gate that fails.

    Raises
    ------
    ConfigError
        If there is no score of that name; the message lists the known ones.
    """
    scores = {score.name: score for score in evaluation.scores}
    for gate in gates:
        if gate.name not in scores:
            raise _unknown_score(gate.name, list(scores))
    return [failure for gate in gates if (failure := gate.failure(scores[gate.name]))]


def _unknown_score(name: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a score that does not exist."""
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"There is no score called {name!r}.{hint} Known: {', '.join(known)}.")


def check_gate_names(gates: Sequence[Gate], targets: Sequence[str]) -> None:
    """Raise ConfigError before any work where a gate names a score that there will not be."""
    if not gates:
        return
    from tabsynth.evaluation.base import measures

    known: list[str] = []
    heads: set[str] = set()
    for name, kind in measures.items():
        figures = getattr(kind, "figures", None)  # absent where there is one for each target
        if figures is not None:
            known += [figure.name for figure in figures]
            continue
        blank = _blank(kind)
        for title in [figure.name for figure in blank.figures] if blank else [name]:
            head, colon, _ = title.partition(":")
            heads.add(head)
            known += [
                f"{head}:{target}" if place or colon else head
                for place, target in enumerate(targets)
            ]
    for gate in gates:
        if gate.name not in known and not _may_be(gate.name, heads, targets):
            raise _unknown_score(gate.name, known)


def _blank(kind: type[Measure]) -> Measure | None:
    """Return a measure for no target in particular; None where there is no such thing."""
    try:
        return kind()
    except TypeError:
        return None


def _may_be(name: str, heads: Collection[str], targets: Sequence[str]) -> bool:
    """Return whether a score of a target may be called so: by learner, or by group of people.

    Which of these there are is known when the tables are.
    """
    head, _, rest = name.partition(":")
    if head not in heads and not any(head.startswith(f"{known}_") for known in heads):
        return False
    if not rest:
        return bool(targets) and head not in heads
    return any(rest == target or rest.startswith(f"{target}:") for target in targets)


def show_failures(terminal: Terminal, failures: Sequence[str]) -> None:
    """Print which gates failed, even when quiet."""
    for failure in failures:
        terminal.insist(f"Gate failed: {failure}", style="bold red")
