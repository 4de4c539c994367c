"""Every contract on every sample; and each contract can fail."""

import contract
import pytest
from conftest import load_samples

CATALOGUE = load_samples().CATALOGUE
RUN = [e for e in CATALOGUE.values() if e.kind != "predict"]


@pytest.mark.parametrize("holds", contract.CONTRACTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
def test_samples(exercise, holds):
    holds(exercise)
