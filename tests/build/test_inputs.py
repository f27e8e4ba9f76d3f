"""What a build adds to its train set: a dev fold, facts of profiles, emitted sequences."""

import golden
import numpy as np
import pytest
import synthetic

from pfamnet.build.hmms import build_profile
from pfamnet.build.inputs import (
    STAND_IN,
    describe,
    given_profiles,
    read_inputs,
    some_sequences,
    with_dev,
    with_emitted,
)
from pfamnet.build.options import BuildOptions
from pfamnet.build.provenance import input_digests
from pfamnet.errors import PfamnetError
from pfamnet.families import Family
from pfamnet.model.hmm_database import INDEX, INDEX_MAGIC
from pfamnet.profiles.files import write_profiles
from pfamnet.trainset.trainset import Fold, TrainSet, read_trainset


@pytest.fixture
def read(tmp_path):
    def read(holdout=0.1, **changes):
        synthetic.write_labelled(tmp_path / "d.fa", **{"families": 3, "rows": 6} | changes)
        synthetic.write_proteins(tmp_path / "p.fa", tmp_path / "t.tsv", families=3, count=8)
        return read_trainset([tmp_path / "d.fa", tmp_path / "p.fa"], tmp_path / "t.tsv", holdout=holdout)

    return read


def profiles(trainset):
    rng = np.random.default_rng(0)
    return [
        build_profile(family, [synthetic.domain(i, rng) for _ in range(5)])
        for i, family in enumerate(trainset.families)
    ]


# Given profiles


@pytest.mark.parametrize(
    "what, accessions, names",
    (
        ("accession of profile 1: PF00002", ("PF00002.1", "PF00001.1", "PF00002.2"), "abc"),
        ("accession of profile 2: b", ("PF00001.1", None, "b"), "abc"),
        ("name of profile 1: a", ("PF00001.1", "PF00002.1", "PF00003.1"), "aba"),
    ),
)
def test_two_profiles_of_one_family_are_refused(what, accessions, names, read, tmp_path):
    hmms = profiles(read())
    for hmm, accession, name in zip(hmms, accessions, names):
        hmm.accession, hmm.name = accession, name
    write_profiles(tmp_path / "x.h3m", hmms)
    with pytest.raises(PfamnetError, match=f"x.h3m: profile 3 '{names[2]}': has the {what}"):
        given_profiles(tmp_path / "x.h3m")
    write_profiles(tmp_path / "x.h3m", hmms[:2])
    assert [hmm.name for hmm in given_profiles(tmp_path / "x.h3m").values()] == list(names[:2])


@pytest.mark.parametrize(
    "changes, said",
    (
        ({"name": "-"}, "name '-' is not one word"),
        ({"accession": "-"}, "accession '-' is not one word"),
        ({"name": "a\u00a0b"}, r"name 'a\\xa0b' is not one word"),
        ({"gathering": (float("nan"), 1.0)}, r"GA cutoffs \(nan, 1.0\) are not two numbers of bits"),
        ({"trusted": (1.0, float("inf"))}, r"TC cutoffs \(1.0, inf\) are not two numbers of bits"),
    ),
)
def test_families_that_no_table_holds_are_refused_at_once(changes, said, tmp_path):
    hmm = golden.hmms()[0].copy()
    for name, value in changes.items():
        setattr(hmm.cutoffs if name in ("gathering", "trusted") else hmm, name, value)
    with open(tmp_path / "x.hmm", "wb") as file:
        hmm.write(file)
    with pytest.raises(PfamnetError, match=rf"x.hmm: profile 1 '.*': {said}$"):
        given_profiles(tmp_path / "x.hmm")


def test_clans_and_types_are_those_of_the_dat_beside_the_profiles(tmp_path):
    hmms = golden.hmms()[:3]
    with open(tmp_path / "x.hmm", "wb") as file:
        for hmm in hmms:
            hmm.write(file)
    entry = f"# STOCKHOLM 1.0\n#=GF AC   {hmms[1].accession}\n#=GF TP   Domain\n#=GF CL   CL0007\n//\n"
    (tmp_path / "x.hmm.dat").write_text(entry)
    options = BuildOptions(hmm=str(tmp_path / "x.hmm"))
    families = {family.name: (family.clan, family.type) for family in read_inputs(options).trainset.families}
    assert families == {hmms[0].name: ("", ""), hmms[1].name: ("CL0007", "Domain"), hmms[2].name: ("", "")}
    assert str(tmp_path / "x.hmm.dat") in input_digests(options)


def test_digests_are_of_what_is_read(tmp_path):
    (tmp_path / "split" / "train" / "data-old").mkdir(parents=True)
    shard = tmp_path / "split" / "train" / "data-00000-of-00001"
    for path in (shard, shard.with_name(shard.name + ".bak")):
        path.write_text("x")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    options = BuildOptions((str(tmp_path / "split"),), base=str(tmp_path / "base"))
    assert {*input_digests(options)} == {str(shard), str(tmp_path / "base" / "config.json")}


def test_a_pressed_database_that_is_cut_off_is_refused(tmp_path):
    write_profiles(tmp_path / "x.hmm.h3m", golden.hmms()[:3])
    (tmp_path / "x.hmm.h3i").write_bytes(INDEX.pack(INDEX_MAGIC, 0, 0, 1, 4))
    with pytest.raises(PfamnetError, match="x.hmm.h3m: 3 profiles, and hmmpress counted 4"):
        given_profiles(tmp_path / "x.hmm.h3m")


# Dev


def test_a_dev_fold_that_is_there_is_used(read):
    trainset = read()
    assert trainset.dev is not None and with_dev(trainset, 1) is trainset


def test_where_nothing_was_held_out_train_sequences_stand_in(read):
    trainset = read(holdout=0)
    assert trainset.dev is None
    made = with_dev(trainset, 1)
    assert len(made.dev.sequences) == len(trainset.train.sequences) == 26
    assert made.warnings[-1].startswith("no validation set: 26 training sequences stand in for it")
    assert made.train is trainset.train
    check(made.dev, trainset.train)


def check(dev, train):
    """The sequences of a dev fold have the domains that they have in train."""
    places = {name: i for i, name in enumerate(train.names)}
    for i, (name, sequence) in enumerate(zip(dev.names, dev.sequences, strict=True)):
        there = places[name]
        assert train.sequences[there] == sequence and train.whole[there] == dev.whole[i]
        assert (
            dev.domains[dev.domains[:, 0] == i, 1:] == train.domains[train.domains[:, 0] == there, 1:]
        ).all()
    assert len(dev.domains) == sum((train.domains[:, 0] == places[name]).sum() for name in dev.names)


def test_a_dev_fold_without_a_known_family_is_none(read):
    trainset = read()
    trainset.dev.domains[:, 3] = -1
    made = with_dev(trainset, 1)
    assert "no validation set" in made.warnings[-1] and (made.dev.domains[:, 3] >= 0).any()


def test_not_more_sequences_stand_in_than_it_takes():
    count = 2 * STAND_IN
    sequences = [synthetic.random_sequence(np.random.default_rng(i), 30) for i in range(count)]
    domains = np.array([(i, 0, 30, i % 2 - (i % 3 == 0)) for i in range(count)], np.int32)
    domains[domains[:, 3] < 0, 3] = -1
    fold = Fold(sequences, [f"s{i}" for i in range(count)], domains, np.zeros(count, bool))
    train_set = TrainSet([Family("A", "a"), Family("B", "b")], fold, None)
    dev = with_dev(train_set, 1).dev
    assert len(dev.sequences) == min(STAND_IN, (domains[:, 3] >= 0).sum())
    assert (dev.domains[:, 3] >= 0).all()  # sequences of families left out are of no use
    check(dev, fold)
    assert dev.names == with_dev(train_set, 1).dev.names != with_dev(train_set, 2).dev.names
    assert (fold.domains == domains).all()


# Families


def test_a_family_learns_from_its_profile():
    hmm = build_profile(
        Family("PF1.2", "One", ga=(20.0, 19.0), description="from the profile"), [synthetic.ancestor(0)]
    )
    described = describe(Family("PF1", "PF1", rows=7, clan="CL1"), hmm)
    assert described == Family("PF1.2", "One", 60, "CL1", "from the profile", ga=(20.0, 19.0), rows=7)
    assert describe(Family("PF1", "PF1", description="mine"), hmm).description == "mine"


# Emitted sequences


def test_families_with_few_rows_are_filled_up(read):
    trainset = read()
    counts = np.bincount(trainset.train.domains[:, 3])
    filled = with_emitted(trainset, profiles(trainset), 12, 42)
    assert np.bincount(filled.train.domains[:, 3]).tolist() == [max(12, count) for count in counts]
    assert filled.dev is trainset.dev and filled.alignments is trainset.alignments


def test_emitted_sequences_are_isolated_domains_of_their_family(read):
    trainset = read()
    filled = with_emitted(trainset, profiles(trainset), 30, 42).train
    old = len(trainset.train.sequences)
    assert filled.sequences[:old] == trainset.train.sequences
    assert len(filled.sequences) == len(filled.names) == len(filled.whole) > old
    assert not filled.whole[old:].any()
    for index, start, end, family in filled.domains[len(trainset.train.domains) :]:
        assert index >= old and (start, end) == (0, len(filled.sequences[index]))
        assert filled.names[index] == f"emitted:{trainset.families[family].name}"


def test_the_same_is_emitted_each_time_and_something_else_for_another_seed(read):
    trainset = read()
    hmms = profiles(trainset)
    one, same, other = (with_emitted(trainset, hmms, 20, seed).train.sequences for seed in (1, 1, 2))
    assert one == same != other


def test_nothing_is_emitted_where_there_is_enough(read):
    trainset = read()
    assert with_emitted(trainset, profiles(trainset), 0, 42).train.sequences == trainset.train.sequences


# Samples


def test_samples_are_real_sequences_where_there_are_any(read):
    trainset = read()
    real = set(trainset.train.sequences)
    filled = with_emitted(trainset, profiles(trainset), 40, 42).train
    chosen = some_sequences(filled, 10)
    assert len(chosen) == 10 and set(chosen) <= real
    assert len(some_sequences(filled, 10**6)) == len(trainset.train.sequences)
    assert some_sequences(filled, 10) == chosen


def test_emitted_sequences_do_where_there_are_no_others():
    fold = Fold(["ACD", "EFG"], ["emitted:x", "emitted:y"], np.zeros((0, 4), np.int32), np.zeros(2, bool))
    assert sorted(some_sequences(fold, 5)) == ["ACD", "EFG"]
