"""Tests of the error classes."""

from __future__ import annotations

import inspect

import pytest

from tabsynth import errors
from tabsynth.errors import (
    ArtifactError,
    BudgetExceeded,
    ConfigError,
    DataError,
    PrivacyError,
    SampleError,
    SchemaError,
    TabsynthError,
)


def test_every_error_is_a_tabsynth_error_and_says_what_it_is_for():
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    raised = [each for each in classes if issubclass(each, Exception)]
    assert len(raised) == 8
    for error in raised:
        assert issubclass(error, TabsynthError)
        assert error.__doc__


@pytest.mark.parametrize("error", [DataError, SchemaError, ConfigError])
def test_errors_about_what_was_given_are_value_errors_too(error):
    with pytest.raises(ValueError, match="wrong"):
        raise error("wrong")


@pytest.mark.parametrize("error", [PrivacyError, ArtifactError, SampleError])
def test_other_errors_are_no_value_errors(error):
    assert not issubclass(error, ValueError)


def test_a_budget_that_is_exceeded_is_a_privacy_error():
    assert issubclass(BudgetExceeded, PrivacyError)


def test_a_schema_error_reports_every_problem_at_once():
    error = SchemaError(["Column 'a' is missing.", "Column 'b' is missing."])
    assert error.problems == ("Column 'a' is missing.", "Column 'b' is missing.")
    assert str(error) == "Column 'a' is missing.\nColumn 'b' is missing."


def test_a_schema_error_with_one_sentence_has_one_problem():
    error = SchemaError("Column 'a' is missing.")
    assert error.problems == ("Column 'a' is missing.",)
    assert str(error) == "Column 'a' is missing."
