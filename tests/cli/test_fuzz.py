"""Anything given for sequences or a model ends in rows or in one line of refusal."""

import io

import fuzz
import pytest
import untrained
from conftest import run
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import WORDS

from pfamnet.errors import PfamnetError
from pfamnet.io.sequences import read_sequences

TEXTS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([*WORDS, b"ACDEFGHIKLMNPQRSTVWY", b"name", b" ", b"\n"]), max_size=30).map(
        b"".join
    ),
    st.lists(
        st.tuples(st.sampled_from([b"", b"a", b"b c d"]), st.text("ACDEFGacdefg*\n\r XBZJUO", max_size=60)),
        max_size=6,
    ).map(lambda records: b"".join(b">" + name + b"\n" + text.encode() + b"\n" for name, text in records)),
)
FORMATS = st.sampled_from([None, None, "fasta", "embl", "genbank", "stockholm", "afa"])


class Trickle(io.RawIOBase):
    """A pipe that hands over a few bytes at a time."""

    def __init__(self, data, sizes):
        self.data, self.sizes = data, sizes

    def read(self, _=-1):
        size = self.sizes[0]
        self.sizes = (*self.sizes[1:], size)
        part, self.data = self.data[:size], self.data[size:]
        return part


def outcome(stream, format):
    """The records and the refusal of a stream."""
    records = []
    try:
        for record in read_sequences("-", format, stream):
            records.append(record)
    except PfamnetError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000
        return records, str(error)
    return records, None


@settings(max_examples=300, deadline=None)
@given(TEXTS, FORMATS, st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_sequences(text, format, sizes):
    records, refusal = outcome(io.BytesIO(text), format)
    for number, record in enumerate(records, 1):
        assert record.number == number and record.name and not set(record.name) & set(" \t\r\n")
        assert set(record.sequence) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ*._~")
    if format != "afa":
        others, other_refusal = outcome(Trickle(text, sizes), format)
        if "corrupt gzip data" in f"{refusal} {other_refusal}":
            # how much zlib inflates before it notices depends on the pieces that it is given
            assert (
                refusal
                and other_refusal
                and (others[: len(records)] == records or records[: len(others)] == others)
            )
        else:
            assert (others, other_refusal) == (records, refusal)


@pytest.fixture(scope="module")
def mutations(tmp_path_factory):
    return fuzz.Fuzz(tmp_path_factory.mktemp("fuzz"), seed=7)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_mutations(mutations, first):
    kinds = set()
    for number in range(first, first + 100):
        kind, outcome = mutations.run(number)
        kinds.add((kind, outcome))
        assert outcome in ("rows", "refused"), f"input {number}\n{outcome}"
    assert {kind for kind, _ in kinds} == {"sequences", "library", "model"}


def test_models_whose_parts_do_not_fit(tmp_path):
    """As `tests/helpers/model_fuzz.py` does more of them."""
    models = [untrained.write_model(tmp_path / str(packed), packed=packed) for packed in (False, True)]
    done = run("model_fuzz", "--count", 54, *models, check=False)
    assert done.returncode == 0, done.stdout
    assert "mutants\t54\tneither rows nor one line\t0" in done.stdout
    assert "\trefused\t" in done.stdout and "\trows\t" in done.stdout


@pytest.mark.slow
def test_the_whole_run_counts(capsys):
    outcomes, bad = fuzz.run_all(30, 7)
    assert not bad and sum(outcomes.values()) == 30
    assert {outcome for _, outcome in outcomes} <= {"rows", "refused"}
