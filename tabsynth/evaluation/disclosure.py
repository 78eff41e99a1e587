"""Disclosure: what the synthetic rows give away about the rows that the model learnt from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.attacks import Attack, Scene, attacks
from tabsynth.evaluation.attempt import attempt
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.distance import Space
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.intervals import rows_for_reach
from tabsynth.evaluation.outcome import RATE, Outcome
from tabsynth.evaluation.result import Finding, Score
from tabsynth.evaluation.vulnerable import most_vulnerable, with_tails

MOST_COMPARED = 5000
"""Most rows of each kind on which fresh rows and independent columns are attacked."""
MOST_COORDINATES = 1 << 25
"""Most coordinates of the rows of one table."""
FEWEST_ROWS = 500
"""Rows that are attacked however many columns there are."""
POPULATIONS = {"all": "all rows", "vulnerable": "the most vulnerable 5% of rows"}
REFERENCE_TEXT = (
    "The attacks by distance on a quarter of the unseen real rows in place of the synthetic ones."
)


def scene_of(comparison: Comparison) -> Scene:
    """Return what attackers of a comparison have; use with ``comparison.once``.

    The first half of the holdout are unseen rows to be told from the training rows, the other half
    is what an attacker might have of similar data. Of tables with very many columns fewer rows are
    taken, so that time and memory stay bounded.
    """
    space = Space.of([comparison.train, comparison.real], comparison.rng("directions"))
    most = max(FEWEST_ROWS, MOST_COORDINATES // sum(x.shape[1] for x in space.lookups))
    train, holdout = comparison.train.first(most), comparison.real.first(most)
    half = len(holdout) // 2
    return Scene(
        candidates=Table(comparison.features, np.concatenate([train.codes, holdout.codes])),
        n_members=len(train),
        n_others=half,
        reference=holdout.take(slice(half, None)),
        synthetic=comparison.synthetic.first(most),
        space=space,
        streams=comparison.streams,
    )


def vulnerable_of(comparison: Comparison) -> np.ndarray:
    """Return which candidates of the scene lie alone; use with ``comparison.once``."""
    scene = comparison.once(scene_of)
    points = with_tails(scene.space, scene.candidates).points(scene.candidates)
    return most_vulnerable(points, comparison.rng("vulnerable"))


def attacked(scene: Scene, vulnerable: np.ndarray, quick: bool = False) -> dict[str, list[Outcome]]:
    """Run the attacks and return their outcomes on all rows and on the most vulnerable ones.

    Parameters
    ----------
    scene : Scene
    vulnerable : ndarray of bool, shape (n_candidates,)
    quick : bool
        Whether only the attacks that need nothing but distances are run.
    """
    chosen = sorted(attacks.items(), key=lambda item: (item[1].order, item[0]))
    kinds = [kind for _, kind in chosen if kind.is_quick or not quick]
    m, tests = scene.n_members, len(kinds)
    found: dict[str, list[Outcome]] = {"all": [], "vulnerable": []}
    for kind in kinds:
        scores, problem = attempt(partial(_scores, kind, scene))
        for population, outcomes in found.items():
            rng = scene.streams.numpy("ties")
            outcome, obstacle = None, problem
            if scores is not None:
                rows = np.arange(len(scores))
                if population == "vulnerable":
                    rows = rows[vulnerable[: len(scores)]]
                sides = scores[rows[rows < m]], scores[rows[rows >= m]]
                outcome, obstacle = attempt(partial(Outcome.of, kind.title, *sides, rng, tests))
            outcomes.append(outcome or Outcome(kind.title, problem=obstacle))
    return found


def _scores(kind: type[Attack], scene: Scene) -> np.ndarray:
    """Return the scores of an attack, checked and rounded so that equal ones are equal."""
    scores = np.asarray(kind().score(scene), dtype=np.float64)
    n = scene.n_calibrated if kind.needs_reference else len(scene.candidates)
    if scores.shape != (n,) or not np.isfinite(scores).all():
        raise DataError("The attack did not return one number for each row.")
    scale = float(np.abs(scores).max(initial=0.0))
    rounded: np.ndarray = np.round(scores / scale, 12) if scale else scores
    return rounded


def _by_area(outcomes: list[Outcome]) -> Outcome:
    """Return the outcome with the most telling area."""
    return max(outcomes, key=lambda o: -1.0 if o.problem else abs(o.area - 0.5))


def _by_reach(outcomes: list[Outcome]) -> Outcome:
    """Return the outcome with the most telling reach."""
    return max(outcomes, key=lambda o: (not o.problem, o.reach_interval.low, o.reach))


@measures.register("membership")
class Membership(Measure):
    """An ensemble of membership attacks: who was among the training rows.

    Every attack is judged on all rows and on the most vulnerable ones, those that lie alone. Half
    of the holdout is left to attackers as a sample of similar data, and what uses it is judged on
    the other half. The strongest attack is reported; intervals allow for the choice, and each
    attack has a finding for the verdict. Nothing that an attack does, and no threshold, depends on
    which of the candidates were training rows.

    Privacy
    -------
    Attacks the training rows themselves; what it returns is exact and confidential.

    References
    ----------
    Carlini et al. (2022), arXiv:2112.03570 (judging attacks at a low false positive rate).
    """

    order = 60
    needs_holdout = True
    minimum_rows = 40
    figures = (
        Figure(
            "membership_auc",
            "Membership attack (AUC)",
            "disclosure",
            "half",
            0.5,
            "How well an attacker who has the synthetic table tells who was among the training "
            "rows; of several attacks the strongest counts: 0.5 is guessing, 1 is always right. "
            "It is an average over all rows and can miss a few that are exposed.",
            REFERENCE_TEXT,
        ),
        Figure(
            "membership_tpr",
            "Membership attack (found at 1% false alarms)",
            "disclosure",
            "lower",
            RATE,
            "Share of training rows that the same attacker recognises when wrong about only 1% "
            "of the others: 0.01 is guessing; more means that at least some rows are exposed.",
            REFERENCE_TEXT,
        ),
        Figure(
            "membership_vulnerable_tpr",
            "Membership attack on the most vulnerable rows (found at 1% false alarms)",
            "disclosure",
            "lower",
            RATE,
            "The same for the 5% of real rows that are least like any other, such as patients "
            "with a rare combination of traits: the share of them that is recognised when 1% of "
            "equally unusual rows of others are mistaken for training rows.",
            REFERENCE_TEXT,
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the area and the reach of the strongest attacks."""
        scene, vulnerable = comparison.once(scene_of), comparison.once(vulnerable_of)
        found = attacked(scene, vulnerable)
        expected = self._elsewhere(scene, vulnerable, None)
        baseline = self._elsewhere(scene, vulnerable, comparison.independent)
        scores = []
        for figure in self.figures:
            population = "vulnerable" if "vulnerable" in figure.name else "all"
            if figure.name.endswith("auc"):
                pick, value, interval = _by_area, "area", "area_interval"
            else:
                pick, value, interval = _by_reach, "reach", "reach_interval"
            best = pick(found[population])
            findings = tuple(o.finding(POPULATIONS[population]) for o in found[population])
            details = {
                "best": best.title,
                "false_positive_rate": RATE,
                "p_reversed": _together(found[population]),
                "roc": best.roc,
                "attacks": {o.title: o.to_dict() for o in found[population]},
                "members": best.members,
                "non_members": best.others,
                "reference_rows": len(scene.reference),
                "synthetic_rows": len(scene.synthetic),
            }
            if best.problem:
                failed = figure.absent(f"No attack could be run. {best.problem}", **details)
                scores.append(replace(failed, findings=self._own(figure, findings)))
                continue
            scores.append(
                figure.score(
                    getattr(best, value),
                    interval=getattr(best, interval),
                    reference=getattr(pick(expected[population]), value),
                    baseline=getattr(pick(baseline[population]), value),
                    problem="" if value == "area" else _few(best, len(found[population])),
                    details=details,
                    findings=self._own(figure, findings),
                )
            )
        return scores

    @staticmethod
    def _own(figure: Figure, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the findings that go with a figure: each once, though two figures show it."""
        return () if figure.name == "membership_tpr" else findings

    @staticmethod
    def _elsewhere(
        scene: Scene, vulnerable: np.ndarray, synthetic: Table | None
    ) -> dict[str, list[Outcome]]:
        """Attack another table than the synthetic one, or fresh rows where there is none."""
        m, most = scene.n_members, MOST_COMPARED
        members = np.arange(min(m, most))
        others = np.arange(m, m + min(scene.n_others, most))
        rows, reference = np.concatenate([members, others]), scene.reference
        if synthetic is None:
            half = len(reference) // 2
            synthetic, reference = reference.first(half), reference.take(slice(half, None))
        return attacked(scene.against(synthetic, reference, rows), vulnerable[rows], quick=True)


def _together(outcomes: list[Outcome]) -> float:
    """Return the p-value of unseen rows being more exposed than training rows, in any attack."""
    return min(1.0, len(outcomes) * min(outcome.p_reversed for outcome in outcomes))


def _few(best: Outcome, tests: int) -> str:
    """Return what is wrong with a figure that rests on too few rows."""
    needed = rows_for_reach(RATE, tests=tests)
    if best.others >= needed:
        return ""
    return (
        f"Only {best.others:,} rows stand against the training rows; with fewer than {needed:,} "
        "this figure alone can show no leak. The findings of its attacks can."
    )
