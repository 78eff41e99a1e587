from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peer_report

    return peer_report


def row(control="fresh", seed=0, value=0.5, **others):
    plain = {"table": "t", "n": "9", "tool": "sdmetrics", "figure": "score", "rule": "low"}
    plain |= {"alarm": "", "problem": "", "version": "1", "cpu_seconds": "1"}
    leaks = "no" if control == "fresh" else "yes"
    given = {"control": control, "seed": str(seed), "value": str(value), "leaks": leaks}
    return plain | given | others


FRESH = [row(seed=seed, value=value) for seed, value in enumerate((5, 4, 3, 2, 1, 3))]


@pytest.mark.parametrize(
    ("control", "value", "rule", "text"),
    [
        ("copies_5", 0.9, "low", "apart"),
        ("copies_5", 1.0, "low", "not apart"),
        ("copies_5", 0.9, "high", "not apart"),
        ("copies_5", 5.1, "high", "apart"),
        ("tvae_overfitted", 0.9, "low", "-"),
        ("five_to_one", 0.9, "low", "-"),
    ],
)
def test_a_figure_without_threshold_is_compared_with_fresh_tables_of_its_kind(
    report, control, value, rule, text
):
    rows = [{**found, "rule": rule} for found in [*FRESH, row(control, value=value)]]
    assert report.Results(rows).cell(control, "sdmetrics", "range")[0] == text


def test_a_fresh_table_is_compared_with_the_others_only(report):
    assert report.Results(FRESH).cell("fresh", "sdmetrics", "range") == ("apart 1 of 6", 1, 6)


def test_four_fresh_tables_are_no_range(report):
    rows = [*FRESH[:4], row("copies_5", value=0)]
    assert report.Results(rows).cell("copies_5", "sdmetrics", "range")[0] == "-"


def test_one_alarm_is_enough_and_a_run_that_was_stopped_is_told(report):
    rows = [
        row("copies_1", rule="alarm", alarm="no"),
        row("copies_1", rule="alarm", alarm="yes", figure="other"),
        row("copies_1", seed=1, rule="", value="", problem="stopped after 9 s"),
        row("copies_1", seed=2, rule="alarm", alarm="no"),
    ]
    cell = report.Results(rows).cell("copies_1", "sdmetrics", "alarm")
    assert cell == ("caught 1 of 3; failed 1 of 3", 1, 3)
