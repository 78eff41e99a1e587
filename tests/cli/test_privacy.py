"""--epsilon: what is asked for first, what is refused, and what the program says of it."""

from __future__ import annotations

import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

MARK = "ZQX"
FAST = ("--model", "independent", "--seed", "7")
OUTPUTS = ("synthetic.csv", "report.html", "report.json", "card.md")


@pytest.fixture
def table(tmp_path):
    """A CSV file of 1,500 patients; noise hides tables of a few dozen."""
    rng = np.random.default_rng(1)
    n = 1_500
    age = rng.integers(20, 90, n)
    frame = pd.DataFrame(
        {
            "age": age,
            "ward": np.array([f"{MARK} north", f"{MARK} south", "00712"])[rng.integers(0, 3, n)],
            "cost": rng.lognormal(6, 1, n).round(2),
            "sick": np.where(age + rng.normal(0, 10, n) > 60, "yes", "no"),
        }
    )
    path = tmp_path / "patients.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def schema(run, table):
    """A schema as a person would leave it after a review."""
    path = table.with_name("schema.yaml")
    assert run("inspect", table, "-o", path).code == 0
    return path


def written(table):
    """Return the outputs that are there."""
    return [name for name in OUTPUTS if table.with_name(f"patients.{name}").exists()]


def test_without_a_schema_it_stops_and_shows_the_two_commands(run, table):
    result = run("deidentify", table, "--epsilon", "1", *FAST)
    assert result.code == 4
    said = " ".join(result.err.split())
    assert f"'tabsynth inspect {table} -o schema.yaml'" in said
    assert f"'tabsynth deidentify {table} --schema schema.yaml --epsilon 1'" in said
    assert "--accept-inferred-schema" in said
    assert MARK not in result.err
    assert not written(table)


def test_the_plan_shows_the_split_and_spends_nothing(run, table, schema):
    result = run("plan", table, "--schema", schema, "--epsilon", "1", "--json")
    assert result.code == 0, result.err
    assert "(epsilon = 1.00, delta = 1e-6)-differential privacy" in " ".join(result.err.split())
    privacy = json.loads(result.out)["plan"]["privacy"]
    assert privacy["epsilon"] == 1
    assert privacy["rows"] == "noisy"
    assert set(privacy["shares"]) == {"number of rows", "coding of columns", "model"}
    assert sum(privacy["shares"].values()) == pytest.approx(1)
    assert not written(table)
    public = run(
        "plan", table, "--schema", schema, "--epsilon", "1", "--public-rows", 300, "--json"
    )
    assert json.loads(public.out)["plan"]["privacy"]["rows"] == "public"


@pytest.mark.parametrize(
    "options",
    [("--model", "tree"), ("--model", "ctgan", "--set", "pac=4")],
    ids=["tree", "ctgan in packs"],
)
@pytest.mark.parametrize("verb", ["plan", "deidentify"])
def test_a_plan_is_refused_in_the_words_of_the_fit(run, table, schema, verb, options):
    asked = (table, "--schema", schema, "--epsilon", "1", *options)
    fitted = run("fit", *asked, "-o", table.with_name("m.model"))
    planned = run(verb, *asked, *(("--dry-run",) if verb == "deidentify" else ()))
    assert fitted.code == planned.code == 4
    assert "under a privacy budget" in fitted.err or "a privacy budget does not" in fitted.err
    assert planned.err == fitted.err


def test_the_time_in_the_json_plan_is_that_of_the_settings(run, table):
    asked = ("plan", table, "--model", "tvae", "--json")
    few, many = (run(*asked, "--set", f"epochs={epochs}") for epochs in (10, 1_000))
    seconds = [json.loads(made.out)["plan"]["estimate"]["seconds"] for made in (few, many)]
    assert seconds[1] > 2 * seconds[0]


def test_a_private_run_says_in_every_file_what_holds(run, table, schema, quick):
    model = table.with_name("m.model")
    options = ("--schema", schema, "--epsilon", "5", "--save-model", model, "--json")
    result = run("deidentify", table, *FAST, *options)
    assert result.code == 0, result.err
    claim = "(epsilon = 5.00, delta = 1e-6)-differential privacy for adding or removing one row"
    assert claim in " ".join(result.err.split())
    assert MARK not in result.err
    card = table.with_name("patients.card.md").read_text("utf-8")
    assert claim in " ".join(card.replace("\\", "").split())
    report = json.loads(table.with_name("patients.report.json").read_text("utf-8"))
    assert report["privacy"]["epsilon"] == 5
    assert report["privacy"]["spends"]
    assert claim in json.loads(result.out)["privacy"]["statement"]
    with zipfile.ZipFile(model) as file:
        manifest = json.loads(file.read("manifest.json"))
    assert manifest["shareable"]
    assert manifest["seconds"] is None
    assert run("sample", model, "-n", "5", "-o", "-").code == 0


def test_an_inferred_schema_is_taken_on_request_and_voids_the_guarantee(run, table, quick):
    result = run("deidentify", table, *FAST, "--epsilon", "5", "--accept-inferred-schema", "--json")
    assert result.code == 0, result.err
    said = " ".join(result.err.split())
    assert "Not differentially private: the column types were inferred from the rows" in said
    assert "-differential privacy for" not in said
    card = table.with_name("patients.card.md").read_text("utf-8")
    assert "Not differentially private" in card
    assert "-differential privacy for" not in card


def test_without_epsilon_every_output_says_so(run, table, quick):
    assert run("deidentify", table, *FAST).code == 0
    card = table.with_name("patients.card.md").read_text("utf-8")
    assert "No differential privacy was used" in " ".join(card.split())


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--epsilon", "-1"), 4, "positive number"),
        (("--epsilon", "0"), 4, "positive number"),
        (("--epsilon", "nan"), 4, "positive number"),
        (("--epsilon", "1", "--delta", "0.5"), 4, "delta must be"),
        (("--epsilon", "1", "--delta", "0.005", "--public-rows", "1500"), 4, "number of rows"),
        (("--epsilon", "1", "--reject", "0.2"), 4, "Leave reject out"),
        (("--epsilon", "1", "--repeats", "2"), 4, "Leave repeats out"),
        (("--epsilon", "1", "--model", "tree"), 4, "reads the rows themselves"),
        (("--epsilon", "1", "--model", "smote"), 4, "marginal"),
        (("--epsilon", "1", "--rows", "2x"), 2, "--public-rows"),
        (("--delta", "1e-7"), 2, "no effect without epsilon"),
        (("--accept-inferred-schema",), 2, "no effect without epsilon"),
        (("--epsilon", "1", "--odometer", "none.json"), 4, "none.json"),
    ],
)
def test_what_is_refused_says_what_to_do_and_writes_nothing(
    run, table, schema, options, code, words
):
    result = run("deidentify", table, *FAST, "--schema", schema, *options)
    assert result.code == code, result.err
    assert words in " ".join(result.err.split())
    assert MARK not in result.err
    assert not written(table)


def test_an_odometer_refuses_what_goes_beyond_its_total(run, table, schema):
    account = table.with_name("o.json")
    assert run("odometer", "create", account, "--epsilon", "6").code == 0
    assert run("odometer", "create", account, "--epsilon", "9").code == 4
    options = ("--schema", schema, "--epsilon", "5", "--delta", "1e-7", "--odometer", account)
    model = table.with_name("m.model")
    assert run("fit", table, *FAST, *options, "-o", model).code == 0
    shown = run("odometer", "show", account, "--json")
    document = json.loads(shown.out)
    assert len(document["fits"]) == 1
    assert 0 < document["spent_epsilon"] <= 5
    again = run("fit", table, *FAST, *options, "-o", model, "--force")
    assert again.code == 4
    assert re.search(r"above the 6 that o\.json allows", " ".join(again.err.split()))
    assert MARK not in account.read_text("utf-8")


def test_as_many_rows_are_made_as_the_noisy_number_says(run, table, schema, quick):
    n = len(pd.read_csv(table))
    result = run("deidentify", table, *FAST, "--schema", schema, "--epsilon", "5")
    assert result.code == 0, result.err
    assert "as many as the noisy number of rows says" in " ".join(result.err.split())
    made = len(pd.read_csv(table.with_name("patients.synthetic.csv")))
    assert abs(made - n) < 0.2 * n
    asked = run(
        *("deidentify", table, *FAST, "--schema", schema, "--epsilon", "5", "--force"),
        *("--rows", "50"),
    )
    assert asked.code == 0, asked.err
    assert len(pd.read_csv(table.with_name("patients.synthetic.csv"))) == 50
