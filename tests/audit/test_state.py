"""An audit goes on where it was stopped, and gives the same whoever does its fits."""

import json

import pytest

from tabsynth import ConfigError, DataError, infer_schema
from tabsynth.audit import AuditResult, audit

SMALL = {"model": "copier", "method": "multi-run", "runs": 20, "seed": 7}


@pytest.fixture(scope="module")
def whole(table):
    """The result of an audit that nobody stopped."""
    return audit(table, **SMALL)


class Stop:
    """Interrupts after so many fits, as Ctrl-C between two of them does."""

    def __init__(self, after):
        self.after = after
        self.told = []

    def __call__(self, progress):
        self.told.append(progress)
        if progress.done == self.after:
            raise KeyboardInterrupt


def fits_in(folder):
    return sorted(path.name for path in (folder / "multi-run").glob("run-*.json"))


def test_a_stopped_audit_goes_on_and_gives_the_same_bytes(table, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        audit(table, **SMALL, state=tmp_path / "state", monitor=Stop(7))
    assert len(fits_in(tmp_path / "state")) == 7
    watch = Stop(-1)
    result = audit(table, **SMALL, state=tmp_path / "state", monitor=watch)
    assert result.to_json() == whole.to_json()
    assert [told.done for told in watch.told] == list(range(7, 41))
    again = Stop(-1)
    assert audit(table, **SMALL, state=tmp_path / "state", monitor=again) == result
    assert [told.done for told in again.told] == [40]


def test_a_fit_that_was_not_written_whole_is_done_again(table, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        audit(table, **SMALL, state=tmp_path / "state", monitor=Stop(3))
    folder = tmp_path / "state" / "multi-run"
    # What a process that is killed while it writes leaves behind.
    (folder / ".0a1b2c3d.part.run-00004.json").write_text('{"run": 3, "val')
    assert audit(table, **SMALL, state=tmp_path / "state").to_json() == whole.to_json()


def test_progress_has_an_estimate_after_the_first_fit(table, tmp_path):
    watch = Stop(2)
    with pytest.raises(KeyboardInterrupt):
        audit(table, **SMALL, monitor=watch)
    assert watch.told[0].metrics == {}
    first = watch.told[1]
    assert (first.done, first.total) == (1, 40)
    assert first.metrics["seconds_per_run"] > 0
    assert first.metrics["seconds_left"] > first.metrics["seconds_per_run"]


def test_two_workers_give_the_same_bytes_as_one(table, whole, tmp_path):
    result = audit(table, **SMALL, workers=2, state=tmp_path / "state")
    assert result.to_json() == whole.to_json()
    assert len(fits_in(tmp_path / "state")) == 40


def test_a_worker_that_dies_ends_the_audit_with_a_remedy(table):
    with pytest.raises(DataError, match=r"exit code 9.*fewer workers"):
        audit(table, **{**SMALL, "model": "dying"}, workers=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 8}, "the seed"),
        ({"model": "blind"}, "the model"),
        ({"runs": 21}, "the size of the audit"),
        ({"epsilon": 1.0, "model": "liar"}, "the size of the audit, epsilon"),
        ({"delta": 1e-4}, "the size of the audit, epsilon, delta"),
        ({"table": None}, "the table"),
    ],
)
def test_the_state_of_another_audit_is_refused_and_left(change, words, table, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        audit(table, **SMALL, state=tmp_path / "state", monitor=Stop(1))
    before = (tmp_path / "state" / "multi-run" / "audit.json").read_bytes()
    if "table" in change:
        change = {}
        table = table.assign(n=table["n"] + (table.index == 5))
    if "epsilon" in change:
        change = {**change, "schema": infer_schema(table)}
    with pytest.raises(DataError, match=words) as refused:
        audit(table, **{**SMALL, **change}, state=tmp_path / "state")
    assert "another folder" in str(refused.value)
    assert (tmp_path / "state" / "multi-run" / "audit.json").read_bytes() == before


def test_a_folder_that_no_audit_wrote_is_refused(table, tmp_path):
    (tmp_path / "multi-run").mkdir()
    (tmp_path / "multi-run" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="no audit wrote"):
        audit(table, **SMALL, state=tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot be used"):
        audit(table, **SMALL, state=tmp_path / "file")


def test_a_damaged_fit_is_told(table, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        audit(table, **SMALL, state=tmp_path, monitor=Stop(2))
    for text in ("{", '{"run": 1}', '{"run": 0, "shape": [3], "values": [1]}'):
        (tmp_path / "multi-run" / "run-00001.json").write_text(text)
        with pytest.raises(DataError, match=r"run-00001\.json is damaged"):
            audit(table, **SMALL, state=tmp_path)


def test_results_come_back_from_json(whole):
    state = json.loads(whole.to_json())
    assert AuditResult.from_dict(state).to_json() == whole.to_json()
    assert whole["multi-run"].runs == 40
    with pytest.raises(DataError, match="format 9"):
        AuditResult.from_dict({**state, "tabsynth_audit": 9})
    with pytest.raises(DataError, match="no result of an audit"):
        AuditResult.from_dict({"tabsynth_evaluation": 1})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "tworun"}, "Did you mean"),
        ({"method": []}, "No method"),
        ({"method": "multi-run", "runs": 10}, "at least 20"),
        ({"method": "shadow", "runs": 10}, "at least 16"),
        ({"method": "one-run", "canaries": 41}, "16 to 40"),
        ({"runs": 0}, "integer of at least 1"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"delta": 1.0}, "delta"),
        ({"confidence": 1.0}, "confidence"),
        ({"workers": 0, "method": "one-run"}, "workers"),
        ({"model": "copyer"}, "copier"),
        ({"parameters": {"bins": 3}}, "bins"),
    ],
)
def test_what_is_not_allowed_is_told_before_anything_is_fitted(options, words, table):
    def never(progress):
        raise AssertionError("an audit began")

    with pytest.raises(ConfigError, match=words):
        audit(table, **{"model": "copier", "seed": 7, "monitor": never, **options})


def test_tables_that_cannot_be_audited_are_refused(table):
    with pytest.raises(DataError, match="DataFrame"):
        audit([1, 2, 3], model="copier")
    with pytest.raises(ConfigError, match="32 rows"):
        audit(table.head(20), model="copier", method="one-run")
    with pytest.raises(ConfigError, match="40 rows"):
        audit(table.head(30), model="copier", method="shadow")
    keys = table.assign(key=[f"K-{i:04d}" for i in range(80)])[["key"]]
    with pytest.raises(DataError, match="No column can be compared"):
        audit(keys, model="copier", method="one-run")
