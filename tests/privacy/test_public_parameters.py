"""What is not noisy is public: the same with a row more. The seed has no part in noise."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load

from tabsynth import Synthesizer, deidentify, workflow
from tabsynth.errors import PrivacyError, TabsynthError
from tabsynth.models import models
from tabsynth.models.marginals import selection
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.schema import Column, Schema
from tabsynth.workflow import Deidentified

N, EPSILON, DELTA = 250, 2.0, 1e-5
MARK = "ZQX"
PARAMETERS = {
    "marginal": {"method": "tree"},
    "autoregressive": {"steps": 3},
    "tvae": {"steps": 3},
    "ctgan": {"steps": 3},
}
PRIVATE = [name for name in models.names() if models.get(name).private]


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    """Fit graphical models to counts in few iterations, which are post-processing."""
    whole = selection.fitted

    def fitted(sizes, measurements, total, steps, *more):
        return whole(sizes, measurements, total, min(steps, 5), *more)

    monkeypatch.setattr(selection, "fitted", fitted)


def table(n=N):
    """Return rows of which the last ones are unlike the others."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 95, n).astype(str),
            "sex": rng.choice(["f", "m"], n),
            "sick": rng.choice(["true", "false"], n),
        },
        dtype="str",
    )
    frame.loc[frame.index >= N, ["age", "sex", "sick"]] = ["107", "m", None]
    return frame


def schema():
    """Return all that is known of the columns."""
    age = {"minimum": 0, "maximum": 110, "integer": True}
    sex = {"categories": ["f", "m"], "nullable": False}
    return Schema(
        (
            Column("age", "number", parameters=age),
            Column("sex", "category", parameters=sex),
            Column("sick", "boolean"),
        )
    )


def fit(model, frame, seed=1, noise=None, **more):
    """Fit under a budget."""
    return Synthesizer(
        model,
        parameters=PARAMETERS.get(model),
        schema=schema(),
        target="sick",
        seed=seed,
        epsilon=EPSILON,
        delta=DELTA,
        debug_insecure_seed=noise,
        **more,
    ).fit(frame)


def keys_of(value, path=""):
    """Return the paths of all entries of a JSON document, and lengths of lists of words."""
    if isinstance(value, dict):
        return {path, *(k for name, some in value.items() for k in keys_of(some, f"{path}/{name}"))}
    return {path}


def public(fitted, path):
    """Return all of a model file that is not noise, or computed from it."""
    fitted.save(path, force=True)
    shapes, keys = {}, {}
    with zipfile.ZipFile(path) as file:
        names = sorted(file.namelist())
        for name in names:
            if name.endswith(".safetensors"):
                arrays = load(file.read(name))
                shapes = {key: (a.shape, str(a.dtype)) for key, a in arrays.items()}
            elif name.endswith(".json"):
                keys[name] = keys_of(json.loads(file.read(name)))
    return {
        "files": names,
        "keys": keys,
        "shapes": shapes,
        "rows": fitted.n_rows_,
        "ledger": fitted.ledger_.to_dict(),
        "choice": fitted.choice_,
        "schema": fitted.schema_.names,
        "sizes": fitted.codec_.layout.sizes.tolist(),
        "repr": repr(fitted),
    }


def loosely(name, found):
    """Leave out what depends on noise: which groups `marginal` makes of codes with few rows."""
    return {k: v for k, v in found.items() if name != "marginal" or k not in ("shapes", "keys")}


@pytest.mark.parametrize("model", PRIVATE)
def test_a_row_more_changes_nothing_that_is_not_noisy(model, tmp_path):
    found = [
        loosely(model, public(fit(model, table(n), noise=4, public_rows=N), tmp_path / "m.model"))
        for n in (N, N + 1)
    ]
    assert found[0] == found[1]
    assert found[0]["rows"] == N


@pytest.mark.parametrize("model", PRIVATE)
def test_where_the_number_of_rows_is_noisy_all_follows_from_the_noisy_one(
    model, tmp_path, monkeypatch
):
    # The noisy number is held at 260, whatever the true one is.
    counts, asked = Noise.counts, []

    def held(noise, exact, sigma):
        found = counts(noise, exact, sigma)
        asked.append(len(asked))
        return np.array([260]) if exact.shape == (1,) and len(asked) == 1 else found

    monkeypatch.setattr(Noise, "counts", held)
    found = []
    for n in (N, N + 1):
        asked.clear()
        found.append(loosely(model, public(fit(model, table(n), noise=4), tmp_path / "m.model")))
    assert found[0] == found[1]
    assert found[0]["rows"] == 260
    assert "260" in found[0]["repr"]
    assert found[0]["ledger"]["facts"]["rows"] == "noisy"


@pytest.mark.parametrize("model", PRIVATE)
def test_the_seed_does_not_fix_noise_and_fixes_rows_drawn_from_a_file(model, tmp_path):
    files = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.model"
        fit(model, table(), seed=7, public_rows=N).save(path)
        loaded = [Synthesizer.load(path) for _ in range(2)]
        rows = [some.sample(40, seed=3) for some in loaded]
        pd.testing.assert_frame_equal(*rows)
        state = loaded[0].model_.state()
        files.append(dict(state.tensors))
    first, second = files
    same = [
        key
        for key in first
        if key in second
        and first[key].shape == second[key].shape
        and first[key].dtype.kind == "f"
        and np.array_equal(first[key], second[key])
    ]
    assert len(same) < len(first)


# deidentify.


@pytest.fixture
def unjudged(monkeypatch):
    """Leave the evaluation out, which takes most of the time."""

    class Nothing:
        def with_context(self, **more):
            """Keep nothing."""

    monkeypatch.setattr(workflow, "evaluate", lambda *_, **__: None)
    monkeypatch.setattr(workflow, "with_stability", lambda _: Nothing())


def made(**more) -> Deidentified:
    """Make a private table."""
    return deidentify(
        table(),
        **{
            "model": "independent",
            "schema": schema(),
            "epsilon": EPSILON,
            "delta": DELTA,
            "seed": 1,
            **more,
        },
    )


class Closed(pd.DataFrame):
    """A table that nobody may look into."""

    def __getitem__(self, key):
        """Refuse."""
        raise AssertionError("the table was read")

    @property
    def iloc(self):
        """Refuse."""
        raise AssertionError("the table was read")


@pytest.mark.parametrize("wish", [{"repeats": 2}, {"reject": 0.1}, {"checkpoint": "c.state"}])
def test_what_would_read_rows_once_more_is_refused_before_any_is_read(wish, monkeypatch, tmp_path):
    monkeypatch.setattr(Ledger, "debit", lambda *_: pytest.fail("something was spent"))
    if "checkpoint" in wish:
        wish = {"checkpoint": tmp_path / "c.state"}
    with pytest.raises(PrivacyError):
        deidentify(
            Closed(table()),
            model="tvae",
            schema=schema(),
            epsilon=EPSILON,
            delta=DELTA,
            **wish,
        )
    assert list(tmp_path.iterdir()) == []


def test_rows_are_kept_unseen_by_coins_of_their_own(monkeypatch, unjudged):
    masks, mask = [], Noise.mask

    def watched(noise, n_rows, rate):
        masks.append((n_rows, rate, mask(noise, n_rows, rate)))
        return masks[-1][2]

    monkeypatch.setattr(Noise, "mask", watched)
    trained = []
    fit_on = Synthesizer.fit

    def counting(synthesizer, frame, **more):
        trained.append(len(frame))
        return fit_on(synthesizer, frame, **more)

    monkeypatch.setattr(Synthesizer, "fit", counting)
    for _ in range(6):
        made(holdout=0.3)
    assert all(n == N and rate == 0.3 for n, rate, _ in masks)
    assert [N - int(flags.sum()) for *_, flags in masks] == trained
    # The same seed, and other rows each time: as many as coins say and not a fixed number.
    assert len(set(trained)) > 1
    assert 6 * N * 0.6 < sum(trained) < 6 * N * 0.8


def test_as_many_rows_are_made_as_the_noisy_number_says(unjudged):
    sizes = {len(made(holdout=0.2, seed=2).table) for _ in range(4)}
    assert len(sizes) > 1
    assert len(made(holdout=0.2, public_rows=N).table) == N


@pytest.mark.parametrize(
    "wish",
    [
        {"epsilon": 1e-4},
        {"model": "copula"},
        {"target": "nothing"},
        {"delta": 0.5},
        {"schema": None},
        {"public_rows": 10**6},
    ],
    ids=str,
)
def test_no_error_under_a_budget_shows_a_cell(wish, unjudged):
    frame = table()
    frame["name"] = [f"{MARK}{place}" for place in range(N)]
    declared = Schema((*schema(), Column("name", "category")))
    asked = {"model": "independent", "schema": declared, "epsilon": EPSILON, "delta": DELTA, **wish}
    try:
        told = deidentify(frame, seed=1, **asked).table.to_csv()
    except TabsynthError as error:
        told = f"{error!r} {error}"
    assert told
    assert MARK not in told
