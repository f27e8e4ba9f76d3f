"""Recipes applied to train sets: who is taken, what the plan says, what order does not change."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.cli.build import with_defaults
from pfamnet.trainset.recipes import RECIPES, Recipe
from pfamnet.trainset.sampling import allot, plan, restrict, sample
from pfamnet.trainset.trainset import read_trainset

ROWS = [12, 3, 7, 1, 5]
SMALL = Recipe("small", "", ((2, 4), (2, 2)))


@pytest.fixture
def read(tmp_path):
    """A train set of 5 families with 12, 3, 7, 1 and 5 rows; others for `backwards` or `proteins`."""

    def read(backwards=False, proteins=False, holdout=0):
        rng = np.random.default_rng(0)
        rows = [
            (f"d{family}_{i} {synthetic.accession(family)}", synthetic.domain(family, rng))
            for family, count in enumerate(ROWS)
            for i in range(count)
        ]
        (tmp_path / "d.fa").write_text(synthetic.fasta(rows[::-1] if backwards else rows))
        if not proteins:
            return read_trainset([tmp_path / "d.fa"], holdout=holdout)
        synthetic.write_proteins(tmp_path / "p.fa", tmp_path / "t.tsv", families=5, count=12)
        with open(tmp_path / "p.fa", "a") as file:
            file.write(">none\n" + "MKTAYIAKQR" * 9 + "\n")
        return read_trainset([tmp_path / "d.fa", tmp_path / "p.fa"], tmp_path / "t.tsv", holdout=holdout)

    return read


def counts(fold, families):
    return np.bincount(fold.domains[fold.domains[:, 3] >= 0, 3], minlength=families).tolist()


def apply(recipe, trainset, seed=42):
    restricted, quotas, made = plan(recipe, trainset, seed)
    return sample(restricted, quotas, seed), made


# Families and rows


def test_the_largest_families_are_taken_and_so_many_rows_of_each(read):
    sampled, made = apply(SMALL, read())
    assert [family.accession for family in sampled.families] == [synthetic.accession(i) for i in (0, 1, 2, 4)]
    assert counts(sampled.train, 4) == [4, 2, 4, 2] == [family.rows for family in sampled.families]
    assert [list(stratum.values()) for stratum in made.strata] == [
        ["1 to 2", 2, 19, 8, 4, 4],
        ["3 to 4", 2, 8, 4, 2, 2],
    ]
    assert made.instead == [] and (made.families, made.families_there) == (4, 5)


def test_what_is_not_there_is_said(read):
    _, made = apply(Recipe("large", "", ((4, 6), (3, 2))), read())
    assert made.instead == [
        "7 families asked for, 5 there: all of them are taken",
        "families 1 to 4: 2 have fewer rows than asked for: all are taken",
        "families 5 to 7: 1 have fewer rows than asked for: all are taken",
    ]
    assert "drawn as rows ** 0.6" in made.lines()[-1]


def test_every_family_stays_where_rows_are_shared_out(read):
    sampled, made = apply(Recipe("shared", "", ((9, None),), total=14, least=2), read())
    assert sum(counts(sampled.train, 5)) == 14 and min(counts(sampled.train, 5)[i] for i in (0, 1, 2, 4)) >= 2
    assert counts(sampled.train, 5)[3] == 1  # it has no more
    assert (made.rows, made.families) == (14, 5)


def test_the_full_recipe_takes_the_train_set_as_it_is(read):
    trainset = read(proteins=True, holdout=0.2)
    sampled, made = apply(RECIPES["full"], trainset)
    assert sampled.families == trainset.families and sampled.train.sequences == trainset.train.sequences
    assert (sampled.train.domains == trainset.train.domains).all()
    assert made.power == 1 and made.rows == len(trainset.train.domains)


def test_dev_keeps_its_rows_but_for_families_left_out(read):
    trainset = read(holdout=0.3)
    sampled, made = apply(Recipe("one", "", ((1, 2),)), trainset)
    assert len(sampled.train.sequences) == 2
    wanted = [trainset.dev.sequences[i] for i, _, _, family in trainset.dev.domains if family == 0]
    assert sampled.dev.sequences == wanted and counts(sampled.dev, 1) == [len(wanted)]
    assert (made.dev_rows_there, made.dev_rows) == (len(trainset.dev.sequences), len(wanted))


def test_a_dev_fold_of_families_left_out_is_none(read):
    trainset = read(holdout=0.3)
    keep = np.array([3])  # its only row is a training row
    assert restrict(trainset, keep).dev is None


# Which rows


def names(sampled):
    return sorted(sampled.train.names)


def test_rows_do_not_depend_on_the_order_of_the_input_but_on_the_seed(read):
    assert names(apply(SMALL, read())[0]) == names(apply(SMALL, read(backwards=True))[0])
    assert names(apply(SMALL, read())[0]) != names(apply(SMALL, read(), seed=1)[0])


def test_a_smaller_choice_is_part_of_a_larger_one(read):
    few, more = (set(names(apply(Recipe("x", "", ((5, most),)), read())[0])) for most in (2, 4))
    assert few < more


# Full-length proteins


def test_rows_not_taken_are_no_background_and_proteins_without_any_go(read):
    trainset = read(proteins=True)
    restricted, quotas, _ = plan(Recipe("x", "", ((5, 2),)), trainset, 42)
    sampled = sample(restricted, quotas, 42)
    fold = sampled.train
    assert counts(fold, 5) == quotas.tolist()
    assert "none" in fold.names
    for i, name in enumerate(fold.names):
        before = trainset.train.names.index(name)
        there = trainset.train.domains[trainset.train.domains[:, 0] == before, 1:3]
        assert (fold.domains[fold.domains[:, 0] == i, 1:3] == there).all()  # all are marked
        assert name == "none" or (fold.domains[fold.domains[:, 0] == i, 3] >= 0).any()


def test_alignments_are_of_the_rows_taken(tmp_path):
    synthetic.write_stockholm(tmp_path / "s.sto", families=3, rows=9)
    trainset = read_trainset([tmp_path / "s.sto"], holdout=0)
    sampled, _ = apply(Recipe("x", "", ((2, 4),)), trainset)
    assert sorted(sampled.alignments) == [0, 1]
    assert sorted(name for rows in sampled.alignments.values() for name, _ in rows) == names(sampled)
    whole = plan(Recipe("x", "", ((2, 4),)), trainset, 42)[0]
    assert [len(rows) for rows in whole.alignments.values()] == [9, 9]  # profiles have all of them


# Sharing out


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.integers(0, 400), st.integers(0, 9))
def test_rows_shared_out_are_as_many_as_asked_and_no_more_than_there_are(sizes, total, least):
    sizes = np.array(sizes)
    shares = allot(sizes, total, least)
    assert shares.sum() == min(total, sizes.sum()) and (shares <= sizes).all() and (shares >= 0).all()
    if np.minimum(sizes, least).sum() <= total:
        assert (shares >= np.minimum(sizes, least)).all()
    order = np.argsort(sizes, kind="stable")
    assert (np.diff(shares[order]) >= -1).all()  # in proportion, but for what is rounded


# Presets


def test_presets_are_what_is_documented():
    assert {name: recipe.strata for name, recipe in RECIPES.items()} == {
        "specialist": ((1000, 200),),
        "generalist-70k": ((5000, None),),
        "generalist-400k": ((1000, 200), (4000, 50)),
        "full": ((None, None),),
    }
    assert RECIPES["generalist-70k"].total == 70_000
    assert sum(families * rows for families, rows in RECIPES["generalist-400k"].strata) == 400_000


def test_options_given_go_before_the_recipes():
    none = {"recipe": None, "power": None, "emit": None, "seed": 1}
    assert with_defaults(none) == {"recipe": None, "power": 0.6, "emit": 50, "seed": 1}
    assert with_defaults(none | {"recipe": "specialist"})["power"] == 0
    given = none | {"recipe": "full", "power": 0.3, "emit": 7}
    assert with_defaults(given) == given


def test_a_plan_can_be_stored(read):
    import json

    stored = json.loads(json.dumps(asdict(apply(SMALL, read())[1])))
    assert stored["recipe"] == "small" and stored["rows"] == 12 and stored["families"] == 4
    assert stored["strata"][0]["taken"] == 8
    assert replace(SMALL, power=0.2).power == 0.2
