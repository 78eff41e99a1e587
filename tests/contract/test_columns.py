"""Every registered column type keeps the contract of a column type."""

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns import columns
from tabsynth.testing import check_column_type

N = 60
rng = np.random.Generator(np.random.PCG64(0))
EXAMPLES = {
    "number": [
        pd.Series(rng.integers(0, 30, N)),
        pd.Series(rng.normal(size=N)),
        pd.Series(rng.integers(0, 5, N)).astype("Int64").where(rng.random(N) < 0.8),
        pd.Series(np.round(rng.normal(size=N), 2)).astype("str"),
    ],
    "category": [
        pd.Series(rng.choice(list("abc"), N)),
        pd.Series(rng.choice(list("abc"), N)).astype("category"),
        pd.Series(rng.choice(list("ab"), N)).where(rng.random(N) < 0.7),
    ],
    "boolean": [
        pd.Series(rng.random(N) < 0.5),
        pd.Series(rng.random(N) < 0.5).astype("boolean").where(rng.random(N) < 0.8),
        pd.Series(np.where(rng.random(N) < 0.5, "TRUE", "FALSE")).astype("str"),
    ],
    "datetime": [
        pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, N), "D")),
        pd.Series(np.where(rng.random(N) < 0.5, "1500-01-02", "2020-12-31")).astype("str"),
    ],
    "duration": [
        pd.Series(pd.to_timedelta(rng.integers(0, 999, N), "min")),
        pd.Series(np.where(rng.random(N) < 0.5, "07:05", "23:59")).astype("str"),
    ],
    "identifier": [
        pd.Series([f"PAT-{number:05d}" for number in rng.permutation(99_999)[:N]]),
        pd.Series(np.arange(1, N + 1)),
    ],
    "personal": [pd.Series([f"someone{number}@example.org" for number in range(N)])],
    "text": [pd.Series([f"a few words that are new in row {number}" for number in range(N)])],
    "constant": [pd.Series(["same"] * N), pd.Series([None] * N, dtype="str")],
}


@pytest.mark.parametrize("name", columns.names())
def test_the_column_type_keeps_its_contract(name):
    renamed = [series.rename("x") for series in EXAMPLES[name]]
    check_column_type(columns.get(name), renamed)
