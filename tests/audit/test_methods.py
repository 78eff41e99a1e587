"""Each method catches a model that copies rows, and lets one pass that ignores them."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm, rankdata

from tabsynth import PrivacyError, datasets, infer_schema
from tabsynth.audit import Setting, audit, audits
from tabsynth.audit.ground import Ground
from tabsynth.audit.ranks import area_of_few, rank_p_value
from tabsynth.evaluation.attacks import attacks
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import check_schema

SIZES = {"one-run": {"canaries": 40}, "multi-run": {"runs": 24}, "shadow": {"runs": 16}}
ALPHA = 0.05


def setting_of(table, seed=7, **options):
    return Setting(table, infer_schema(table), "blind", {}, Streams(seed), **options)


@pytest.mark.parametrize("method", SIZES)
def test_a_model_that_copies_rows_is_caught(method, table):
    result = audit(table, model="copier", method=method, seed=7, **SIZES[method])
    assert result.verdict.word == "leak detected"
    [found] = result.methods
    assert found.word == "leak detected"
    assert 0 <= found.epsilon <= found.largest
    assert all(finding.level == 3 for finding in found.findings)
    assert found.findings[0].adjusted <= ALPHA
    assert result.verdict.findings == found.findings


@pytest.mark.parametrize("method", SIZES)
def test_a_model_that_ignores_the_rows_is_not_accused(method, labels):
    result = audit(labels, model="blind", method=method, seed=7, **SIZES[method])
    assert result.verdict.word == "no leak detected at this power"
    assert result.epsilon == 0
    assert "never prove" in " ".join(result.methods[0].reasons)


def noise(method, rng):
    """Return numbers that a probe could have kept, which say nothing."""
    shape = method.job.probe.sight.targets.shape
    if type(method).__name__ == "OneRun":
        return [np.round(rng.normal(size=(len(attacks.names()), shape[0])), 1)]
    return [np.round(rng.normal(size=(shape[0], 12)), 1) for _ in method.job.runs]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "draws"), [("one-run", 100), ("multi-run", 100), ("shadow", 60)])
def test_false_alarms_are_no_more_than_promised(name, draws, table):
    ground = setting_of(table).ground
    alarms = 0
    for seed in range(draws):
        setting = setting_of(table, seed, **SIZES[name])
        object.__setattr__(setting, "ground", ground)  # what costs time and does not matter here
        method = audits.get(name)(setting)
        rng = np.random.default_rng(seed)
        alarms += method.judge(noise(method, rng)).word == "leak detected"
    # More come once in a hundred times where the share is 5%.
    assert alarms <= binom.ppf(0.99, draws, ALPHA)


def answers(setting, epsilon, rng):
    """Return the scores of an attacker who is told each coin through randomised response."""
    method = audits.get("one-run")(setting)
    told = rng.random(len(method._coins)) < 1 / (1 + math.exp(-epsilon))
    scores = np.where(told == method._coins, 1.0, 0.0)
    return method, [np.tile(scores, (len(attacks.names()), 1))]


def test_a_true_claim_stands_and_a_false_one_is_refuted(table):
    wide = pd.concat([table] * 10, ignore_index=True)
    rng = np.random.default_rng(5)
    words = {}
    for claim in (1.0, 0.3):
        setting = setting_of(wide, canaries=400, claim=claim)
        for _ in range(12):
            method, seen = answers(setting, 1.0, rng)
            result = method.judge(seen)
            assert result.epsilon <= result.largest
            words.setdefault(claim, []).append(result.word)
    # Of 12 audits of a claim that holds 4 would be refuted twice in a thousand times.
    assert words[1.0].count("leak detected") <= 3
    assert words[0.3].count("leak detected") >= 9


def test_many_runs_refute_a_false_claim_about_one_row_and_no_true_one(table):
    rng = np.random.default_rng(5)
    words = {1.0: [], 0.2: []}
    for claim, said in words.items():
        method = audits.get("multi-run")(setting_of(table, runs=400, claim=claim))
        inside = np.arange(800) % 2 == 1
        for _ in range(8):
            told = np.where(rng.random(800) < 1 / (1 + math.exp(-1.0)), inside, ~inside)
            features = np.column_stack([told, rng.normal(size=(800, 3))])
            result = method.judge(list(features[:, None]))
            said.append(result.word)
            assert result.details["gaussian_mu"] >= 0
    # Of 8 audits of a claim that holds 3 would be refuted six times in a thousand times.
    assert words[1.0].count("leak detected") <= 2
    assert words[0.2].count("leak detected") >= 7


def test_what_no_attack_could_refute_is_inconclusive(table):
    method = audits.get("one-run")(setting_of(table, canaries=16, claim=3.0, delta=1e-5))
    result = method.judge(noise(method, np.random.default_rng(7)))
    assert result.word == "inconclusive"
    assert "more runs or canaries" in result.reasons[1]
    assert "Nothing could" in result.smallest


def declared(table):
    """Return a schema that says of each column what is known without looking."""
    known = {"categories": list("pqr"), "nullable": False}
    return Schema(tuple(Column(name, "category", parameters=known) for name in table))


class Spy:
    """Stands for a probe: keeps what each fit was told and what it spent."""

    def __init__(self, probe):
        self.probe, self.ledgers = probe, []
        self.sight = probe.sight

    def __call__(self, fitted):
        self.ledgers.append(fitted.ledger_)
        return self.probe(fitted)


@pytest.mark.parametrize("method", SIZES)
def test_a_declared_epsilon_is_audited_by_fits_under_it(method, labels, monkeypatch):
    spies = []

    def watched(setting, pool, probe, runs, job=Setting.job):
        spies.append(Spy(probe))
        return job(setting, pool, spies[-1], runs)

    monkeypatch.setattr(Setting, "job", watched)
    sizes = {"one-run": {"canaries": 80}, "multi-run": {"runs": 40}, "shadow": {"runs": 60}}
    result = audit(
        labels,
        model="independent",
        method=method,
        schema=declared(labels),
        epsilon=0.5,
        delta=1e-4,
        seed=7,
        **sizes[method],
    )
    [spy] = spies
    assert len(spy.ledgers) == result.methods[0].runs
    for ledger in spy.ledgers:
        assert (ledger.budget.epsilon, ledger.budget.delta) == (0.5, 1e-4)
        assert ledger.holds
        assert ledger.facts["rows"] == "noisy"
        assert 0 < ledger.epsilon() <= 0.5
    assert result.verdict.word == "no leak detected at this power"
    said = " ".join(result.methods[0].reasons)
    assert "Epsilon is at least" in said
    assert "does not refute the declared epsilon = 0.5" in said


def test_a_model_that_passes_the_account_by_is_refuted_by_fits_under_the_claim(labels):
    result = audit(
        labels,
        model="liar",
        method="multi-run",
        schema=declared(labels),
        runs=60,
        epsilon=0.5,
        delta=1e-4,
        seed=7,
    )
    assert result.verdict.word == "leak detected"
    assert result.epsilon > 0.5
    assert "The claim of epsilon = 0.5 is refuted." in result.methods[0].reasons


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schema": None}, "under that budget, which needs a schema"),
        ({"model": "copier"}, "'copier' reads the rows themselves"),
        ({"model": "ctgan", "parameters": {"pac": 4}}, "pac"),
        ({"delta": 0.5}, "delta must be"),
        ({"delta": 0.01}, "no smaller than one over"),
    ],
)
def test_what_has_no_fit_under_the_claim_is_refused_before_any_fit(labels, options, words):
    asked = {"model": "independent", "schema": declared(labels), "delta": 1e-4, **options}
    with pytest.raises(PrivacyError, match=words):
        audit(labels, epsilon=0.5, seed=7, **asked)


def test_methods_together_share_the_level(table):
    result = audit(table, model="blind", method=["shadow", "one-run"], runs=16, canaries=20, seed=7)
    assert [method.method for method in result.methods] == ["one-run", "shadow"]
    assert [method.confidence for method in result.methods] == pytest.approx([0.975, 0.975])
    assert result.confidence == 0.95
    adjusted = [finding.adjusted for finding in result.verdict.findings]
    assert adjusted == sorted(adjusted)


def test_a_fit_that_fails_makes_the_method_inconclusive(table):
    result = audit(table, model="failing", method="one-run", seed=7)
    assert result.verdict.word == "inconclusive"
    assert result.epsilon is None
    assert "The toy does not work." in result.verdict.reasons[0]


def test_neighbouring_tables_differ_in_the_row_alone(table):
    job = audits.get("multi-run")(setting_of(table, runs=20)).job
    without, with_row = job.runs[0].rows, job.runs[1].rows
    assert set(with_row) - set(without) == {len(table)}
    assert set(without) <= set(with_row)
    assert len({run.seed for run in job.runs}) == 40


def test_shadow_fits_learn_targets_by_half_and_independently(table):
    method = audits.get("shadow")(setting_of(table, runs=40))
    inside = np.array([np.isin(method._targets, run.rows) for run in method.job.runs])
    for half in (inside[:20], inside[20:]):
        assert (half.sum(axis=0) == 10).all()
    together = np.corrcoef(inside.T)[np.triu_indices(inside.shape[1], 1)]
    assert abs(together).max() < 0.7
    others = [np.setdiff1d(run.rows, method._targets) for run in method.job.runs]
    assert {len(rows) for rows in others} == {(len(table) - len(method._targets)) // 2}


def test_about_half_of_the_canaries_are_learnt_and_all_other_rows(table):
    method = audits.get("one-run")(setting_of(table, canaries=40))
    [run] = method.job.runs
    others = np.setdiff1d(np.arange(80), method._natural)
    assert set(others) <= set(run.rows)
    assert 8 <= method._coins.sum() <= 32  # once in 10,000 times it is not
    assert len(run.rows) == len(others) + method._coins.sum()


def test_made_rows_fit_the_schema_and_its_rules_and_lie_alone():
    table = datasets.hospital_admissions(400, seed=3)
    schema = infer_schema(table)
    assert schema.constraints
    ground = Ground.of(table.reset_index(drop=True), schema, Streams(7))
    made = ground.craft(30)
    check_schema(schema, made)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    for rule in schema.constraints:
        low, sign, high = rule["inequality"]
        assert sign in ("<=", "<")
        assert (made[low].isna() | made[high].isna() | (made[low] <= made[high])).all()
    compared = [name for name in table.columns if schema[name].type in ("number", "category")]
    assert not made[compared].merge(table[compared], how="inner").shape[0]


def test_lonely_rows_come_first(table):
    odd = pd.DataFrame({"x": [40.0], "n": [30], "label": ["no"], "ward": ["d"]})
    frame = pd.concat([table, odd], ignore_index=True)
    ground = Ground.of(frame, infer_schema(frame), Streams(7))
    assert ground.loneliest(1).tolist() == [80]


def test_rank_p_values_are_exact_with_ties():
    rng = np.random.default_rng(6)
    scores = np.round(rng.normal(size=9), 0)
    positive, negative = scores[:4], scores[4:]
    ranks = rankdata(scores)
    sums = [ranks[list(chosen)].sum() for chosen in combinations(range(9), 4)]
    expected = np.mean(np.array(sums) >= ranks[:4].sum())
    assert rank_p_value(positive, negative) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "shift"), [(4, 0.0), (4, 2.0), (8, 1.0), (16, 3.0)])
def test_intervals_of_areas_hold_for_few_runs(n, shift):
    rng = np.random.default_rng(7)
    truth = norm.cdf(shift / math.sqrt(2))
    positive, negative = rng.normal(shift, 1, (2000, n)), rng.normal(0, 1, (2000, n))
    areas = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    spans = {value: area_of_few(float(value), n) for value in np.unique(areas)}
    held = [spans[value].low <= truth <= spans[value].high for value in areas]
    assert np.mean(held) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 2000)
