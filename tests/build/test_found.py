"""What the golden profiles find in the golden sequences."""

import golden

from pfamnet.build.found import FoundByProfiles


def test_what_a_profile_finds_is_there_and_is_looked_up_once():
    records, every = golden.records(), list(range(len(golden.families())))
    found = FoundByProfiles(golden.store(), golden.families())
    for record, hits in zip(records, golden.hits("default"), strict=True):
        assert {hit.family for hit in hits if hit.evalue <= 1e-6} <= found(record.sequence, every)
    found.search = None
    assert all(found(record.sequence, every[:2]) <= set(every[:2]) for record in records)


def test_chance_hits_are_not_there():
    records, every = golden.records(), list(range(len(golden.families())))
    found = FoundByProfiles(golden.store(), golden.families())
    there = sum(len(found(record.sequence, every)) for record in records)
    assert 0 < there < len(every) * len(records) / 2
