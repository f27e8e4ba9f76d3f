"""Profiles built from rows and sequences: they find their family, and nothing else."""

import itertools
import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from golden import h3m
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import Pipeline

from pfamnet.build.hmms import ALIGNERS, build_profile, build_profiles, famsa_rows, medoid
from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Threads, Work
from pfamnet.errors import PfamnetError
from pfamnet.families import Family

AMINO = Alphabet.amino()
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
FERREDOXINS = [
    "IVLIDQNKCRGWRMCVSACPYK",
    "VISVDQNKCVGCFTCILCCPYGA",
    "VAHIDQEACIGCGRCHIACEDTSHQAI",
    "KAYFDPQRCPPDCPRPCEKICPAQAI",
    "KAWFDPARCPADCPRPCQRVCPAEAI",
    "QFKVDKSRCTQCGECIQDCVFGLL",
    "YPEFTYHNCVGCGRCYISCYDGGHQAI",
    "IVTYDETKCGSCFMCVMNCPFGVL",
    "KAVFNPQLCPVDCPRPCEKICPAYAI",
    "FMQYLPRICNHCANPACVASCPSRAI",
    "LPEWDYHNCVKCGDCVAHCPMYLY",
]  # of PF12837
FAMILY = Family("PF99999.3", "Made", description="A made family", ga=(25.5, 24.0), nc=(23.25, 22.0))


def relatives(number, length=90, changed=0.4, seed=1):
    """Aligned rows of a made family: one ancestor, substitutions, short insertions and gaps."""
    draw = random.Random(seed)
    ancestor = draw.choices(LETTERS, k=length)
    rows = []
    for _ in range(number):
        row = [draw.choice(LETTERS) if draw.random() < changed else letter for letter in ancestor]
        start, size = draw.randrange(length - 5), draw.randrange(5)
        row[start : start + size] = "-" * size
        # Twelve columns that few rows fill, as in any real alignment.
        insert = draw.choices(LETTERS, k=12) if draw.random() < 0.2 else "." * 12
        rows.append("".join(row[:40] + list(insert) + row[40:]))
    return rows


def plain(rows):
    return [row.replace("-", "").replace(".", "") for row in rows]


def found(hmm, texts):
    """How many of the sequences a search with the profile reports, in 1000 for E <= 0.01."""
    named = [TextSequence(name=str(i), sequence=text) for i, text in enumerate(texts)]
    block = DigitalSequenceBlock(AMINO, [sequence.digitize(AMINO) for sequence in named])
    return len(Pipeline(AMINO, E=0.01, Z=1000).search_hmm(hmm, block).reported)


@pytest.fixture(scope="module")
def rows():
    return relatives(50)


@pytest.mark.parametrize("how", ["rows", *ALIGNERS])
def test_a_profile_finds_held_out_members_and_no_shuffled_ones(rows, how):
    if how == "famsa":
        pytest.importorskip("pyfamsa")
    train, held_out = plain(rows[:30]), plain(rows[30:])
    given = {"rows": rows[:30]} if how == "rows" else {"sequences": train, "aligner": how}
    hmm = build_profile(FAMILY, **given)
    assert found(hmm, held_out) == 20
    draw = random.Random(2)
    assert found(hmm, ["".join(draw.sample(text, len(text))) for text in held_out]) == 0
    assert 85 <= hmm.M <= 95
    hmm.validate()


def test_the_profile_carries_what_is_known_of_the_family(rows):
    hmm = build_profile(FAMILY, rows=rows[:5])
    assert (hmm.name, hmm.accession, hmm.description) == ("Made", "PF99999.3", "A made family")
    assert hmm.cutoffs.gathering == (25.5, 24.0) and hmm.cutoffs.noise == (23.25, 22.0)
    assert hmm.cutoffs.trusted is None
    bare = build_profile(Family("", "Bare"), rows=rows[:5])
    assert (bare.accession, bare.description, bare.cutoffs.gathering) == (None, None, None)


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_the_same_input_gives_the_same_bytes(rows, aligner, monkeypatch):
    if aligner == "famsa":
        pytest.importorskip("pyfamsa")
    first = h3m(build_profile(FAMILY, plain(rows[:20]), aligner=aligner))
    monkeypatch.setattr(sys, "argv", ["another", "command"])
    assert h3m(build_profile(FAMILY, plain(rows[:20]), aligner=aligner)) == first


@pytest.mark.parametrize("aligner", ALIGNERS)
@pytest.mark.parametrize("copies", [1, 3])
def test_a_family_of_one_sequence_has_a_profile_of_it(aligner, copies):
    (text,) = plain(relatives(1))
    hmm = build_profile(FAMILY, [text] * copies, aligner=aligner)
    assert len(text) == hmm.M and hmm.consensus.upper() == text
    assert found(hmm, [text]) == 1
    assert h3m(build_profile(FAMILY, rows=[text])) == h3m(hmm)


@pytest.mark.parametrize("sequences", [["M"], ["M", "K"], ["MK", "MKV", "KV"], ["X", "XX"]])
def test_the_shortest_sequences_still_make_a_profile(sequences):
    assert build_profile(FAMILY, sequences).M >= 1


def test_rows_about_as_many_as_sequences_are_taken_as_they_are(rows):
    alone = h3m(build_profile(FAMILY, rows=rows))
    assert h3m(build_profile(FAMILY, plain(rows), rows)) == alone
    assert h3m(build_profile(FAMILY, plain(rows) + plain(relatives(3, seed=9)), rows)) == alone


def test_few_rows_start_the_rounds_and_the_sequences_make_the_profile(rows):
    hmm = build_profile(FAMILY, plain(rows), rows[:5])
    assert hmm.nseq == 50
    assert found(hmm, plain(rows)) == 50


def test_case_gap_signs_and_empty_rows_do_not_matter(rows):
    want = h3m(build_profile(FAMILY, rows=rows))
    other = [row.lower().replace(".", "~").replace("-", ".") for row in rows]
    assert h3m(build_profile(FAMILY, rows=[*other, "." * len(rows[0])])) == want


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_letters_outside_the_alphabet_count_as_unknown(rows, aligner):
    if aligner == "famsa":
        pytest.importorskip("pyfamsa")
    train = plain(rows[:20])
    odd = [text[:10] + letter + text[11:] for text, letter in zip(train, "*1 ?OUJBZX")]
    hmm = build_profile(FAMILY, odd + train[10:], aligner=aligner)
    assert found(hmm, train) == 20


def test_the_medoid_is_neither_fragment_nor_fusion(rows):
    family = plain(rows[:10])
    stranger = "".join(random.Random(3).choices(LETTERS, k=90))
    mixed = [family[0][:20], stranger, *family, family[1] + family[2]]
    assert 2 <= medoid(mixed) < 12
    assert medoid(["M"]) == 0


@pytest.mark.parametrize(
    "given, complaint",
    [
        ({}, "family 'Made': no sequence with a residue"),
        ({"sequences": ["", ""]}, "family 'Made': no sequence with a residue"),
        ({"rows": ["..", "--"]}, "family 'Made': no sequence with a residue"),
        ({"rows": ["MKV", "MK-", "MK"]}, "family 'Made': aligned row 3 has 2 columns, the first"),
        ({"sequences": ["MKV"], "aligner": "clustal"}, "no aligner 'clustal': choose from"),
    ],
)
def test_what_makes_no_profile_is_refused(given, complaint):
    with pytest.raises(PfamnetError, match=complaint):
        build_profile(FAMILY, **given)


def test_what_famsa_aligned_before_does_not_matter():
    pytest.importorskip("pyfamsa")
    draw, found = random.Random(0), set()
    for _ in range(100):  # refined, two of 60 alignments differed
        others = ["".join(draw.choices(LETTERS, k=draw.randint(10, 300))) for _ in range(draw.randint(2, 12))]
        famsa_rows(FAMILY, others)
        found.add(tuple(famsa_rows(FAMILY, FERREDOXINS)))
    assert len(found) == 1


def test_famsa_not_installed_is_said_plainly(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyfamsa", None)
    with pytest.raises(PfamnetError, match=r"the famsa aligner needs the extra pfamnet\[famsa\]"):
        build_profile(FAMILY, plain(rows), aligner="famsa")
    assert build_profile(FAMILY, plain(rows[:4])).nseq == 4


@pytest.fixture(scope="module")
def two_families(rows):
    """Three families, of which the second has rows; two domains in one protein."""
    groups = [plain(relatives(8, seed=4)), plain(rows[:12]), plain(relatives(1, seed=5))]
    sequences, domains = [], []
    for family, texts in enumerate(groups):
        for text in texts:
            domains.append((len(sequences), 0, len(text), family))
            sequences.append(text)
    protein = "GSGSGS" + groups[0][0] + "PPPP" + groups[2][0]
    domains.append((len(sequences), 6, 6 + len(groups[0][0]), 0))
    domains.append((len(sequences), len(protein) - len(groups[2][0]), len(protein), 2))
    domains.append((len(sequences), 0, 6, -1))  # a family that was left out
    sequences.append(protein)
    return SimpleNamespace(
        families=[Family(f"PF0000{i}.1", f"family{i}") for i in range(3)],
        train=SimpleNamespace(sequences=sequences, domains=np.array(domains, dtype=np.int32)),
        alignments={1: [(f"row{i}", row) for i, row in enumerate(rows[:12])]},
    )


@pytest.fixture
def profiles(tmp_path):
    """Builds the profiles of a train set, in a work directory that it keeps or not."""
    made = itertools.count()

    def profiles(trainset, cpus=1, folder=None):
        folder = folder or tmp_path / f"{next(made)}"
        folder.mkdir(exist_ok=True)
        return build_profiles(trainset, "hmmalign", Work(folder, BuildOptions(()), False), Threads(cpus))

    return profiles


def test_a_train_set_gives_a_profile_per_family_in_order(two_families, rows, profiles):
    hmms = profiles(two_families)
    assert [hmm.name for hmm in hmms] == ["family0", "family1", "family2"]
    assert [hmm.nseq for hmm in hmms] == [9, 12, 1]  # the third twice the same
    assert h3m(hmms[1]) == h3m(build_profile(two_families.families[1], rows=rows[:12]))


def test_a_command_line_that_is_not_utf8_changes_nothing(two_families, profiles, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pfamnet-build", "g\udce9.sto"])
    made = profiles(two_families)
    assert sys.argv[1] == "g\udce9.sto"
    monkeypatch.setattr(sys, "argv", ["pfamnet-build"])
    assert list(map(h3m, made)) == list(map(h3m, profiles(two_families)))


def test_threads_do_not_change_the_profiles(two_families, profiles):
    alone = [h3m(hmm) for hmm in profiles(two_families)]
    assert [h3m(hmm) for hmm in profiles(two_families, cpus=4)] == alone


def test_saved_profiles_are_not_built_again(two_families, profiles, tmp_path, monkeypatch):
    first = profiles(two_families, folder=tmp_path / "kept")
    (tmp_path / "kept" / "profiles" / "1.h3m").unlink()
    built = []
    monkeypatch.setattr(
        "pfamnet.build.hmms.build_profile",
        lambda family, *rest: built.append(family.name) or build_profile(family, *rest),
    )
    again = profiles(two_families, folder=tmp_path / "kept")
    assert built == ["family1"] and list(map(h3m, again)) == list(map(h3m, first))


def test_a_family_without_sequences_ends_the_build_by_name(two_families, profiles):
    families = [*two_families.families, Family("PF00009.1", "nobody")]
    altered = SimpleNamespace(**{**vars(two_families), "families": families})
    with pytest.raises(PfamnetError, match="family 'nobody': no sequence with a residue"):
        profiles(altered, cpus=2)
