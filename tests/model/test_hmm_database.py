"""HMM databases as they are found: odd profiles and bytes do not refuse the others."""

import io
import re

import golden
import pytest

from pfamnet.errors import PfamnetError
from pfamnet.model.hmm_database import open_database
from pfamnet.output.tsv import TsvWriter
from pfamnet.scan.opening import ScanOptions, make_scanner, open_any


@pytest.fixture
def database(tmp_path):
    """Writes the ASCII of Pkinase and another golden profile, some bytes of it replaced."""

    def write(*changes):
        text = io.BytesIO()
        for hmm in sorted(golden.hmms(), key=lambda hmm: hmm.name != "Pkinase")[:2]:
            hmm.write(text)
        data = text.getvalue()
        for old, new in changes:
            assert old in data
            data = data.replace(old, new, 1)
        path = tmp_path / "database.hmm"
        path.write_bytes(data)
        return path

    return write


def rows(path, warn=None):
    """The bytes of the TSV table of one kinase."""
    model = open_database(path, warn)
    record, out = golden.record("P15056"), io.BytesIO()
    with TsvWriter(out) as writer:
        writer.write(record, make_scanner(model, ScanOptions(mode="profiles"), warn).scan([record])[0])
    return out.getvalue()


def test_names_and_descriptions_keep_their_bytes(database):
    plain = rows(database())
    changes = (b"NAME  Pkinase", b"NAME  caf\xe9"), (b"DESC  Protein", b"DESC  Prot\xe9in")
    assert rows(database(*changes)) == plain.replace(b"Pkinase\t", b"caf\xe9\t").replace(
        b"\tProtein", b"\tProt\xe9in"
    )
    assert b"caf\xe9" in rows(database(*changes))


def test_a_consensus_may_have_any_bytes(database):
    """hmmscan prints them as they are."""
    plain = rows(database())
    path = database()
    path.write_bytes(re.sub(rb"(\d) [a-zA-Z] (\S \S \S\n)", b"\\1 \xe9 \\2", path.read_bytes()))
    assert path.read_bytes().count(b"\xe9") > 200 and rows(path) == plain


def test_an_odd_profile_is_searched_with_a_warning(database):
    path, warnings = database((b"\nNSEQ  ", b"\nNSEQ  -")), []
    assert len(open_any(path, warnings.append).families) == 2
    (warning,) = warnings
    assert warning.startswith(f"warning: {path}: profile 1 'Pkinase': it states ")
    assert rows(path, warnings.append) == rows(database())


def test_a_database_that_is_cut_off_is_refused(database):
    path = database()
    for end in (b"//\n", b"\n  ", b"\nHMM "):
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(end) + 1])
        with pytest.raises(PfamnetError, match="database.hmm: profile 2: cut off$"):
            open_database(path)
