"""Tables whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

MIXED = Schema(
    (
        Column("age", "number"),
        Column("income", "number"),
        Column("town", "category"),
        Column("smokes", "boolean", parameters={"labels": ["no", "yes"]}),
        Column("seen", "datetime", parameters={"format": "%Y-%m-%d"}),
        Column("ill", "category"),
    )
)


def people(n: int, name: str) -> pd.DataFrame:
    """Return people from one population, another sample for every name; numbers are dependent."""
    rng = Streams(3).numpy(name)
    age = rng.integers(18, 90, n)
    income = np.where(rng.random(n) < 0.3, 0.0, np.round(np.exp(0.02 * age + rng.normal(8, 1, n))))
    town = rng.choice(list("abcdefgh"), n, p=[0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02])
    smokes = rng.random(n) < 0.6 - 0.005 * age
    odds = 0.06 * (age - 60) + 1.5 * smokes
    ill = rng.random(n) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {
            "age": pd.Series(age).astype("Int64").mask(rng.random(n) < 0.05),
            "income": income,
            "town": town,
            "smokes": smokes,
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "ill": np.where(ill, "ill", "well"),
        }
    )


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as a CSV file would give it."""
    return pd.DataFrame(
        {
            "age": frame["age"].astype("str").where(frame["age"].notna(), ""),
            "income": frame["income"].map("{:.0f}".format),
            "town": frame["town"].astype("str"),
            "smokes": frame["smokes"].map({True: "yes", False: "no"}),
            "seen": frame["seen"].dt.strftime("%Y-%m-%d"),
            "ill": frame["ill"].astype("str"),
        }
    )


@pytest.fixture(scope="session")
def sample() -> Callable[[int, str], pd.DataFrame]:
    """A function that draws people: (rows, name of the sample)."""
    return people


@pytest.fixture(scope="session")
def text() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function that writes people as texts."""
    return as_text


@pytest.fixture(scope="session")
def mixed() -> Schema:
    """What the columns of people are."""
    return MIXED


def compare(
    train: pd.DataFrame,
    synthetic: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    schema: Schema = MIXED,
    targets: tuple[str, ...] = (),
) -> Comparison:
    """Return what measures see."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    return Comparison.of(analyse(frames, schema), targets=targets, streams=Streams(7))


@pytest.fixture(scope="session")
def comparison() -> Callable[..., Comparison]:
    """A function that makes what measures see: (train, synthetic, holdout, schema, targets)."""
    return compare


@pytest.fixture(scope="session")
def shuffle() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function that shuffles every column by itself."""

    def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
        rng = Streams(5).numpy("shuffle")
        return pd.DataFrame({name: rng.permutation(frame[name].array) for name in frame})

    return shuffled


@pytest.fixture(autouse=True, scope="package")
def _few_rounds() -> Iterator[None]:
    """Fewer trees, which tables of this size do not need, so that tests are quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabsynth.evaluation.fidelity.ROUNDS", 30)
        yield
