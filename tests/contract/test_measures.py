"""Every registered measure keeps the contract of a measure."""

import pytest

from tabsynth.evaluation.base import measures
from tabsynth.testing import check_measure


@pytest.mark.parametrize("name", measures.names())
def test_the_measure_keeps_its_contract(name):
    check_measure(measures.get(name))
