"""Profiles on disk: round trips, and what is refused."""

import gzip
import io
import random
import struct

import numpy
import pytest
from golden import h3m
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, Randomness, TextSequence
from pyhmmer.plan7 import HMM, Background, Builder, Pipeline

from pfamnet.errors import PfamnetError
from pfamnet.profiles.files import emit_sequences, read_hmms, text_of, write_profiles

AMINO = Alphabet.amino()


def ascii_hmm(hmm):
    stream = io.BytesIO()
    hmm.write(stream, binary=False)
    return stream.getvalue()


@pytest.fixture(scope="module")
def hmms():
    draw = random.Random(1)
    made = []
    for number, length in enumerate((30, 1, 80, 45)):
        text = "".join(draw.choices("ACDEFGHIKLMNPQRSTVWY", k=length))
        sequence = TextSequence(name=f"family{number}", sequence=text).digitize(AMINO)
        hmm, _, _ = Builder(AMINO).build(sequence, Background(AMINO))
        hmm.accession = f"PF0000{number}.1"
        hmm.cutoffs.gathering = (20.0 + number, 19.5)
        made.append(hmm)
    return made


def test_a_library_reads_back_byte_for_byte(tmp_path, hmms):
    path = tmp_path / "profiles.h3m"
    write_profiles(path, iter(hmms))
    assert [h3m(hmm) for hmm in read_hmms(path)] == [h3m(hmm) for hmm in hmms]


@pytest.mark.parametrize("packed", [False, True])
def test_equal_profiles_give_equal_files(tmp_path, hmms, packed):
    one, two = tmp_path / "one", tmp_path / "two"
    assert write_profiles(one, hmms, packed) == write_profiles(two, iter(hmms), packed)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("zipped", [False, True])
def test_ascii_is_read_whatever_the_name(tmp_path, hmms, zipped):
    data = b"".join(map(ascii_hmm, hmms))
    path = tmp_path / "profiles.txt"
    path.write_bytes(gzip.compress(data) if zipped else data)
    got = list(read_hmms(path))
    assert [(hmm.name, hmm.accession) for hmm in got] == [(h.name, h.accession) for h in hmms]
    assert [hmm.cutoffs.gathering for hmm in got] == [hmm.cutoffs.gathering for hmm in hmms]


def test_a_pressed_file_beside_is_not_read_instead(tmp_path, hmms):
    (tmp_path / "a.hmm").write_bytes(ascii_hmm(hmms[0]))
    (tmp_path / "a.hmm.h3m").write_bytes(h3m(hmms[2]))
    assert [hmm.name for hmm in read_hmms(tmp_path / "a.hmm")] == [hmms[0].name]


def refusals(hmms):
    """Name, bytes of a bad file, and a word of the complaint."""
    one, two, text = h3m(hmms[0]), h3m(hmms[2]), ascii_hmm(hmms[0])
    dna = ascii_hmm(HMM.sample(Alphabet.dna(), 20, Randomness(1)))
    nan = one[:300] + b"\xff" * 400 + one[700:]
    zipped = gzip.compress(one + two)
    return {
        "empty": (b"", "empty"),
        "empty gzip": (gzip.compress(b""), "empty"),
        "words": (b"no profile\n" * 20, "not a HMMER profile file"),
        "fasta": (b">a\nMKV\n", "not a HMMER profile file"),
        "nucleotides": (dna, "nucleotides"),
        "nucleotides after proteins": (text + dna, "profile 2"),
        "cut short": (one + two[:-500], "profile 2: cut off"),
        "cut by a byte": (one + two[:-1], "profile 2: cut off"),
        "cut within its first bytes": (one + two[:3], "profile 2: cut off"),
        "cut short in ASCII": (text + text[:-200], "profile 2: cut off"),
        "cut after a line in ASCII": (text + text[: text.rindex(b"//")], "profile 2: cut off"),
        "cut in its head in ASCII": (text + text[:100], "profile 2: cut off"),
        "endless states in ASCII": (
            text.replace(b"LENG  30", b"LENG  100000000"),
            "profile 1: 100000000 states",
        ),
        "blanks before the end": (
            text.replace(b"//", b" //") + text.replace(b"LENG  30", b"LENG  -1"),
            "profile 2: corrupt: invalid number of states",
        ),
        "endless states": (
            one[:8] + struct.pack("=i", 100_000_000) + one[12:],
            "profile 1: 100000000 states",
        ),
        "an endless line": (text[:-3] + b"a" * (1 << 20) + b"\n//\n", "a line or the header does not end"),
        "cut gzip": (zipped[: len(zipped) // 2], ""),
        "not numbers": (nan, "profile 1 'family0': damaged"),
        "something after it": (one + b"something else", "profile 2"),
        "gzip of words": (gzip.compress(b"no profile\n" * 20), "not a HMMER profile file"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "empty",
        "empty gzip",
        "words",
        "fasta",
        "nucleotides",
        "nucleotides after proteins",
        "cut short",
        "cut by a byte",
        "cut within its first bytes",
        "cut short in ASCII",
        "cut after a line in ASCII",
        "cut in its head in ASCII",
        "endless states in ASCII",
        "blanks before the end",
        "endless states",
        "an endless line",
        "cut gzip",
        "not numbers",
        "something after it",
        "gzip of words",
    ],
)
def test_rubbish_is_refused_with_one_line_that_names_the_file(tmp_path, hmms, case):
    data, word = refusals(hmms)[case]
    path = tmp_path / "bad.hmm"
    path.write_bytes(data)
    with pytest.raises(PfamnetError) as caught:
        list(read_hmms(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and word in message
    assert "\n" not in message and not message.endswith(".")


def odd(text, case):
    """An ASCII profile of 30 states in which one thing is unusual, and what is said of it."""
    lines = text.decode().split("\n")
    first = next(i for i, line in enumerate(lines) if line.split()[:1] == ["1"])
    if case == "transitions":
        fields = lines[first + 2].split()
        lines[first + 2] = " ".join(["0.02000", *fields[1:]])
        return "\n".join(lines).encode(), "the transitions of state 1 sum to 1.02, not 1"
    if case == "emissions":
        fields = lines[first].split()
        lines[first] = " ".join([fields[0], "0.01000", *fields[2:]])
        return "\n".join(lines).encode(), "the match emissions of state 1 sum to "
    return text.replace(b"\nHMM ", b"\nNSEQ  -2\nHMM "), "it states -2 sequences (NSEQ)"


@pytest.mark.parametrize("case", ["transitions", "emissions", "sequences"])
def test_a_profile_that_hmmscan_searches_is_read_with_a_warning(tmp_path, hmms, case):
    text, said = odd(ascii_hmm(hmms[0]), case)
    (tmp_path / "odd.hmm").write_bytes(ascii_hmm(hmms[2]) + text + text)
    warnings = []
    assert [hmm.M for hmm in read_hmms(tmp_path / "odd.hmm", warnings.append)] == [80, 30, 30]
    (warning,) = warnings
    assert warning.startswith(f"warning: {tmp_path}/odd.hmm: profile 2 'family0': {said}")
    assert warning.endswith("used as it is (1 more such profiles)")


def test_a_profile_that_is_not_calibrated_is_read_with_a_warning(tmp_path, hmms):
    lines = ascii_hmm(hmms[0]).splitlines(keepends=True)
    (tmp_path / "x.hmm").write_bytes(b"".join(line for line in lines if not line.startswith(b"STATS")))
    warnings = []
    assert len(list(read_hmms(tmp_path / "x.hmm", warnings.append))) == 1
    assert "not calibrated (no STATS): HMMER finds nothing with it" in warnings[0]


def test_a_profile_without_consensus_has_one(tmp_path, hmms):
    text = ascii_hmm(hmms[0])
    assert b"CONS  yes" in text
    (tmp_path / "x.hmm").write_bytes(text.replace(b"CONS  yes", b"CONS  no "))
    (hmm,) = read_hmms(tmp_path / "x.hmm")
    assert len(hmm.consensus) == hmm.M and hmm.consensus[:9] == hmms[0].consensus[:9]  # the file is rounded


def test_bytes_that_are_not_utf8_are_kept(tmp_path, hmms):
    text = ascii_hmm(hmms[0]).replace(b"NAME  family0", b"NAME  caf\xe9\nDESC  th\xe9")
    (tmp_path / "latin.hmm").write_bytes(text)
    (hmm,) = read_hmms(tmp_path / "latin.hmm")
    assert (text_of(hmm, "name"), text_of(hmm, "description")) == ("caf\udce9", "th\udce9")
    assert len(emit_sequences(hmm, 2, seed=1)) == 2
    write_profiles(tmp_path / "again.h3m", [hmm])
    assert b"caf\xe9\0" in (tmp_path / "again.h3m").read_bytes()


def test_a_missing_file_or_a_directory_is_refused(tmp_path):
    for path in (tmp_path / "nothing.hmm", tmp_path):
        with pytest.raises(PfamnetError, match=str(path)):
            list(read_hmms(path))


def test_emitted_sequences_are_found_by_their_profile(hmms):
    drawn = emit_sequences(hmms[2], 40, seed=5)
    assert len(drawn) == 40 and len(set(drawn)) == 40
    assert all(set(text) <= set("ACDEFGHIKLMNPQRSTVWY") for text in drawn)
    assert 60 <= sum(map(len, drawn)) / 40 <= 100

    def found(texts):
        named = [TextSequence(name=str(i), sequence=text) for i, text in enumerate(texts)]
        block = DigitalSequenceBlock(AMINO, [sequence.digitize(AMINO) for sequence in named])
        return len(Pipeline(AMINO, E=0.01, Z=40).search_hmm(hmms[2], block).reported)

    draw = random.Random(1)
    # HMMER's filters lose some: a profile of one sequence emits distant relatives.
    assert found(drawn) >= 28
    assert found(["".join(draw.sample(text, len(text))) for text in drawn]) <= 1


def test_emission_depends_on_seed_and_profile_only(hmms):
    assert emit_sequences(hmms[0], 5, seed=0) == emit_sequences(hmms[0], 5, seed=0)
    assert emit_sequences(hmms[0], 5, seed=0) != emit_sequences(hmms[0], 5, seed=1)
    assert emit_sequences(hmms[0], 3, seed=7) == emit_sequences(hmms[0], 9, seed=7)[:3]
    twin = hmms[0].copy()
    twin.name = "another"
    assert emit_sequences(twin, 5, seed=7) != emit_sequences(hmms[0], 5, seed=7)


def test_a_power_of_the_match_probabilities_brings_sequences_nearer_to_the_consensus(hmms):
    def identity(power):
        pairs = [(hmms[0].consensus.upper(), text) for text in emit_sequences(hmms[0], 200, 4, power)]
        return sum(sum(map(str.__eq__, *pair)) / len(pair[0]) for pair in pairs) / len(pairs)

    before = numpy.array(hmms[0].match_emissions)
    assert identity(1) + 0.1 < identity(1.75) < identity(4)
    assert (numpy.asarray(hmms[0].match_emissions) == before).all()


def test_no_emitted_sequence_is_empty(hmms):
    assert all(emit_sequences(hmms[1], 200, seed=3))


def test_an_insertion_that_never_ends_is_ended(hmms):
    hmm = hmms[0].copy()
    moves = numpy.asarray(hmm.transition_probabilities)
    moves[1, :] = [0, 1, 0, 0, 1, 0, 1]  # of state 1: always to the insertion, which goes on
    (sequence,) = emit_sequences(hmm, 1, seed=1)
    assert hmm.M <= len(sequence) < 100_000


def test_a_profile_that_emits_nothing_is_refused(hmms):
    hmm = HMM(hmms[0].alphabet, 1, "nothing")
    numpy.asarray(hmm.transition_probabilities)[0] = [0, 0, 1, 1, 0, 1, 0]  # always to the deletion
    with pytest.raises(PfamnetError, match="^profile 'nothing': emits no residues$"):
        emit_sequences(hmm, 2, seed=1)
