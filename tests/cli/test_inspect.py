"""tabsynth inspect and schema validate: the schema, its reasons, and whether it fits."""

import json

import pytest

from tabsynth.schema import Schema

MARK = "ZQX"


def test_columns_are_shown_with_their_reasons(run, table, listed):
    result = run("inspect", table)
    assert result.code == 0
    assert result.out == ""
    assert "60 rows, 5 columns" in result.err
    for column in ("patient_id", "age", "ward", "cost", "sick"):
        assert column in result.err
    assert "distinct" in result.err
    assert MARK not in result.err
    assert listed(table.parent) == {"patients.csv"}


def test_a_schema_is_written_to_be_edited_and_fits_its_table(run, table):
    schema = table.with_name("schema.yaml")
    assert run("inspect", table, "-o", schema, "--missing", "NA").code == 0
    read = Schema.from_yaml(schema.read_text(encoding="utf-8"))
    assert read.names == ["patient_id", "age", "ward", "cost", "sick"]
    assert read.missing_values == ("", "NA")
    fits = run("schema", "validate", schema, table, "--json")
    assert fits.code == 0, fits.err
    assert json.loads(fits.out)["fits"] is True
    assert "5 columns, 60 rows" in fits.err
    again = run("inspect", table, "-o", schema)
    assert again.code == 2
    assert "--force" in again.err


def test_a_schema_that_does_not_fit_says_so_as_json_too(run, table):
    schema = table.with_name("schema.yaml")
    run("inspect", table, "-o", schema)
    schema.write_text(schema.read_text().replace("  ward:", "  warts:"))
    result = run("schema", "validate", schema, table, "--json")
    assert result.code == 3
    document = json.loads(result.out)
    assert document["fits"] is False
    assert len(document["problems"]) == 2


def test_the_schema_can_go_to_standard_output(run, table):
    as_yaml = run("inspect", table, "-o", "-")
    assert len(Schema.from_yaml(as_yaml.out)) == 5
    document = json.loads(run("inspect", table, "--json").out)
    assert document["schema_version"] == 1
    assert document["rows"] == 60
    assert document["format"] == "csv"
    both = Schema.from_dict(document["schema"]), Schema.from_yaml(as_yaml.out)
    assert [c.type for c in both[0]] == [c.type for c in both[1]]
    assert all(c.reason for c in both[0])
    assert set(document["treatments"]) == set(document["schema"]["columns"])


def test_the_delimiter_can_be_said(run, table):
    table.write_text(table.read_text().replace(",", ":"))
    assert "1 columns" in run("inspect", table, "--delimiter", ",").err
    assert "5 columns" in run("inspect", table, "--delimiter", ":").err
    assert run("inspect", table, "--delimiter", "xx").code == 2


@pytest.mark.parametrize("option", ["--format", "--input-format"])
def test_the_format_can_be_said_where_the_suffix_does_not(run, table, option):
    odd = table.rename(table.with_suffix(".dat"))
    assert run("inspect", odd).code == 2
    assert run("inspect", odd, option, "csv").code == 0
