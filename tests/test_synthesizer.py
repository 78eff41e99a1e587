"""Synthesizer: pandas in, pandas out, reproducible, and honest about what it refuses."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, DataError, SampleError, SchemaError, Synthesizer
from tabsynth.schema import Column, Schema

NEURAL = {"tvae": {"steps": 20}, "ctgan": {"steps": 10}}


def small(n_rows=200, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "x": np.round(x, 2),
            "n": rng.poisson(3, n_rows),
            "label": np.where(x + rng.normal(0, 0.3, n_rows) > 0, "yes", "no"),
            "gap": pd.array(np.where(rng.random(n_rows) < 0.3, None, 7), dtype="Int64"),
        }
    )


def test_rows_have_the_columns_and_dtypes_of_the_table():
    table = small()
    made = Synthesizer("independent", seed=7).fit(table).sample(50)
    assert len(made) == 50
    assert list(made.columns) == list(table.columns)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)


@pytest.mark.parametrize("model", ["independent", "tvae", "ctgan"])
def test_the_same_seed_gives_the_same_bytes(model):
    table = small()

    def run(seed):
        synth = Synthesizer(model, seed=seed, parameters=NEURAL.get(model)).fit(table)
        return synth.sample(100).to_csv()

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_successive_samples_differ_and_a_seed_repeats_one():
    synth = Synthesizer("independent", seed=7).fit(small())
    assert synth.sample(40).to_csv() != synth.sample(40).to_csv()
    assert synth.sample(40, seed=3).to_csv() == synth.sample(40, seed=3).to_csv()


@pytest.mark.parametrize("model", ["independent", "tvae", "ctgan"])
def test_a_saved_model_makes_the_same_rows(model, tmp_path):
    synth = Synthesizer(model, seed=7, parameters=NEURAL.get(model)).fit(small())
    synth.save(tmp_path / "model.tabsynth")
    again = Synthesizer.load(tmp_path / "model.tabsynth")
    pd.testing.assert_frame_equal(again.sample(60, seed=1), synth.sample(60, seed=1))
    assert again.schema_ == synth.schema_


def test_zero_rows_are_an_empty_table_with_the_right_dtypes():
    table = small()
    made = Synthesizer("independent", seed=7).fit(table).sample(0)
    assert made.shape == (0, table.shape[1])
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)


def test_the_index_is_ignored():
    table = small()
    shifted = table.set_index(pd.Index(np.arange(len(table)) * 3 + 5))
    first = Synthesizer("independent", seed=7).fit(table).sample(20)
    second = Synthesizer("independent", seed=7).fit(shifted).sample(20)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.5] * 40),
        pd.Series([None] * 40, dtype="str"),
        pd.Series(np.arange(40)),
        pd.Series(list("ab") * 20),
    ],
    ids=["constant", "all missing", "all unique", "two values"],
)
def test_a_table_of_one_column_works(column):
    table = pd.DataFrame({"only": column})
    made = Synthesizer("auto", seed=7).fit(table).sample(25)
    assert made.shape == (25, 1)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)


def test_forty_rows_work_with_every_model():
    for model in ("independent", "tvae", "ctgan"):
        made = Synthesizer(model, seed=7, parameters=NEURAL.get(model)).fit(small(40)).sample(40)
        assert len(made) == 40


def test_names_that_pandas_uses_itself_work():
    table = small().rename(columns={"x": "index", "n": "shape", "label": "mean 😀", "gap": "a,b"})
    made = Synthesizer("independent", seed=7).fit(table).sample(5)
    assert list(made.columns) == ["index", "shape", "mean 😀", "a,b"]


def test_too_few_rows_are_refused_with_the_number_needed():
    with pytest.raises(DataError, match=r"3 rows; at least 10"):
        Synthesizer("independent").fit(small(3))


def test_something_that_is_no_table_is_refused():
    with pytest.raises(DataError, match="DataFrame"):
        Synthesizer("independent").fit([[1, 2]])


def test_a_misspelt_model_or_parameter_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'ctgan'"):
        Synthesizer("ctgna").fit(small())
    with pytest.raises(ConfigError, match="Did you mean 'bins'"):
        Synthesizer("independent", parameters={"bin": 3}).fit(small())


def test_a_schema_that_does_not_fit_is_refused_with_every_problem():
    schema = Schema((Column("x", "number"), Column("nn", "number"), Column("label", "number")))
    with pytest.raises(SchemaError) as caught:
        Synthesizer("independent", schema=schema).fit(small())
    text = str(caught.value)
    assert "'nn'" in text
    assert "'gap'" in text
    assert "'label'" in text
    assert "yes" not in text


def test_sampling_before_fitting_is_refused():
    with pytest.raises(SampleError, match="fit first"):
        Synthesizer("independent").sample(3)


@pytest.mark.parametrize("n_rows", [-1, 1.5, True, "3"])
def test_a_number_of_rows_that_is_none_is_refused(n_rows):
    synth = Synthesizer("independent", seed=1).fit(small())
    with pytest.raises(ConfigError, match="n_rows must be an integer of at least 0"):
        synth.sample(n_rows)


def test_the_constructor_does_nothing_and_parameters_can_be_read_and_set():
    synth = Synthesizer("no such model", seed=3)
    assert synth.get_params()["seed"] == 3
    assert synth.set_params(seed=4).seed == 4
    with pytest.raises(ConfigError, match="no parameter"):
        synth.set_params(sead=4)
    from sklearn.base import clone

    assert clone(Synthesizer("tvae", seed=5)).seed == 5


def test_progress_is_told_for_every_phase():
    seen = []
    synth = Synthesizer("independent", seed=7, monitor=seen.append).fit(small())
    synth.sample(10)
    phases = {progress.phase for progress in seen}
    assert {"reading columns", "encoding", "decoding"} <= phases
    assert all(0 <= p.done <= max(p.total, p.done) for p in seen)


def test_nothing_is_printed(capsys):
    Synthesizer("independent", seed=7).fit(small()).sample(5)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_models_that_are_not_neural_do_not_need_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import pandas as pd\n"
        "from tabsynth import Synthesizer\n"
        "table = pd.DataFrame({'x': [1, 2, 3, 4] * 10})\n"
        "assert len(Synthesizer('independent', seed=1).fit(table).sample(5)) == 5\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_text_table_gives_a_text_table_in_the_same_format():
    text = "id,code,price,day\n" + "".join(
        f"{i},{i % 7:03d},{(i % 9) + 0.5:.2f},{(i % 28) + 1:02d}.01.2024\n" for i in range(120)
    )
    table = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    made = Synthesizer("independent", seed=7).fit(table).sample(60)
    assert made["code"].str.fullmatch(r"00[0-6]").all()
    assert made["price"].str.fullmatch(r"\d\.50").all()
    assert made["day"].str.fullmatch(r"\d\d\.01\.2024").all()
    assert made["id"].is_unique


def test_no_level_of_a_key_or_personal_category_is_kept():
    rng = np.random.default_rng(0)
    table = small(120)
    table["key"] = pd.Categorical([f"K-{number:06d}" for number in rng.permutation(10**6)[:120]])
    table["email"] = pd.Categorical([f"someone{number}@mail.org" for number in range(120)])
    synth = Synthesizer("independent", seed=7).fit(table)
    kept = str(synth.schema_.to_dict()) + str(synth.codec_.state())
    assert synth.schema_["key"].type == "identifier"
    assert synth.schema_["email"].type == "personal"
    assert not any(value in kept for value in [*table["key"], *table["email"]])
    made = synth.sample(30)
    assert made["key"].dtype == "category"
