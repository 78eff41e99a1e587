"""The demo table: what a reader is promised about it."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from tabsynth.admissions import hospital_admissions
from tabsynth.errors import ConfigError


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return hospital_admissions()


def test_the_same_seed_gives_the_same_table_and_another_seed_another_one():
    first = hospital_admissions(500, seed=3)
    pd.testing.assert_frame_equal(first, hospital_admissions(500, seed=3))
    other = hospital_admissions(500, seed=4)
    assert all((first[name].astype(str) != other[name].astype(str)).any() for name in first)


def test_the_table_has_ten_thousand_rows_and_typed_columns(table):
    assert table.shape == (10_000, 28)
    kinds = {str(kind) for kind in table.dtypes}
    assert kinds == {"str", "int64", "Int64", "float64", "datetime64[us]"}


@pytest.mark.parametrize("n_rows", [0, 1, 40])
def test_small_tables_have_the_same_columns_and_types(table, n_rows):
    small = hospital_admissions(n_rows)
    assert len(small) == n_rows
    pd.testing.assert_series_equal(small.dtypes, table.dtypes)


@pytest.mark.parametrize("n_rows", [-1, 2.5, True, "10"])
def test_a_number_of_rows_that_is_none_is_refused(n_rows):
    with pytest.raises(ConfigError, match="n_rows must be an integer from 0 on"):
        hospital_admissions(n_rows)


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed"):
        hospital_admissions(10, seed=-1)


def test_identifiers_are_unique_and_have_one_shape(table):
    for name, shape in {"patient_id": r"PAT-\d{6}", "national_id": r"9\d\d-\d\d-\d{4}"}.items():
        assert table[name].is_unique
        assert table[name].str.fullmatch(shape).all()


def test_personal_data_comes_from_ranges_that_belong_to_nobody(table):
    mail, phone = table["email"].dropna(), table["phone"].dropna()
    assert mail.str.fullmatch(r"[a-z]+\.[a-z]+\d{1,2}@example\.(com|org|net)").all()
    assert phone.str.fullmatch(r"\+1 \d{3} 555 01\d\d").all()
    assert table["national_id"].str[4:6].astype(int).between(1, 49).all()
    assert table["full_name"].nunique() > 4_000
    assert table["notes"].dropna().str.contains(r"\b(?:Ms|Mr) \w").mean() > 0.1


def test_postcodes_keep_their_leading_zeros_in_csv(table):
    assert table["postcode"].str.fullmatch(r"\d{5}").all()
    assert 0.2 < table["postcode"].str.startswith("0").mean() < 0.4
    written = io.StringIO(table[["postcode"]].to_csv(index=False))
    back = pd.read_csv(written, dtype=str)
    assert back["postcode"].tolist() == table["postcode"].tolist()


def test_a_postcode_lies_in_one_region(table):
    assert table.groupby("postcode")["region"].nunique().max() == 1
    assert table["region"].nunique() == 6


def test_dates_follow_each_other_and_agree_with_the_stay(table):
    admitted, discharged = table["admitted"], table["discharged"]
    assert (table["birth_date"] < admitted).all()
    assert (admitted <= discharged).all()
    nights = (discharged.dt.normalize() - admitted.dt.normalize()).dt.days
    assert (nights == table["length_of_stay_days"]).all()
    assert (admitted.dt.hour * 60 + admitted.dt.minute).nunique() > 500
    planned = table["admission_type"] == "planned"
    assert not (admitted[planned].dt.day_of_week >= 5).any()


def test_diagnoses_fit_the_sex(table):
    women = table["diagnosis"].isin(["C56", "N81.1", "N92.0"])
    women |= table["diagnosis"].str.startswith("O")
    assert women.any()
    assert not (table.loc[women, "sex"] == "male").any()
    men = table["diagnosis"].isin(["C61", "N40"])
    assert men.any()
    assert not (table.loc[men, "sex"] == "female").any()


def test_diagnoses_have_a_long_tail(table):
    counts = table["diagnosis"].value_counts()
    assert counts.size > 140
    assert counts.iloc[:10].sum() > 0.35 * len(table)
    assert (counts < 15).sum() > 25


def test_cost_is_skewed_and_previous_admissions_are_mostly_zero(table):
    assert table["cost"].skew() > 3
    assert table["cost"].min() > 0
    assert np.array_equal(table["cost"], table["cost"].round(2))
    assert 0.7 < (table["previous_admissions"] == 0).mean() < 0.85
    assert table["previous_admissions"].max() >= 8


def test_what_is_missing_depends_on_the_patient(table):
    measured = table["creatinine"].notna()
    assert measured[table["secondary_diagnoses"] >= 4].mean() > 0.1 + measured.mean()
    diabetic = table["diagnosis"].str.startswith(("E10", "E11"))
    tested = table["hba1c"].notna()
    assert tested[diabetic].mean() > 0.75
    assert tested[~diabetic].mean() < 0.25
    weighed = table["bmi"].notna()
    emergency = table["admission_type"] == "emergency"
    assert weighed[emergency].mean() < weighed[~emergency].mean() - 0.2
    assert table["smoker"].isna().any()
    assert (table["smoker"] == "unknown").any()


def test_vital_signs_depend_on_age_and_diagnosis(table):
    age = (table["admitted"] - table["birth_date"]).dt.days / 365.2425
    assert age.between(0, 104).all()
    assert table["systolic_bp"].astype(float).corr(age) > 0.3
    infection = table["diagnosis"].str.startswith("A")
    assert table.loc[infection, "temperature"].mean() > table["temperature"].mean() + 0.8
    heart = table["diagnosis"].str.startswith("I")
    assert table.loc[heart, "systolic_bp"].mean() > table["systolic_bp"].mean() + 8


def test_readmission_can_be_learnt_but_not_perfectly(table):
    """AUC on the held-out half was 0.78 to 0.80 with three splits; the range allows for others."""
    hidden = ["patient_id", "full_name", "email", "phone", "national_id", "notes", "readmitted"]
    features = table.drop(columns=hidden)
    for name in features.columns:
        if features[name].dtype == "str":
            features[name] = features[name].astype("category").cat.codes
    features = features.astype(dict.fromkeys(("birth_date", "admitted", "discharged"), "int64"))
    known = features.astype("float64").to_numpy(na_value=np.nan)
    label = (table["readmitted"] == "yes").to_numpy()
    assert 0.16 < label.mean() < 0.20
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(known[::2], label[::2])
    score = roc_auc_score(label[1::2], model.predict_proba(known[1::2])[:, 1])
    assert 0.75 < score < 0.82
