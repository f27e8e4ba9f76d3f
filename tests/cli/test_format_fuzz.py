"""Damaged files of every --qformat; PFAMNET_FUZZ is the number of mutants of each."""

import os

import format_fuzz
import pytest


@pytest.mark.parametrize("format", format_fuzz.TEXTS)
def test_mutants_end_in_records_or_one_line(format):
    for number in range(int(os.environ.get("PFAMNET_FUZZ", 3))):
        outcome = format_fuzz.outcome(format, number, seed=7)
        assert outcome in ("records", "refused", "crash, one line"), f"mutant {number}\n{outcome}"
