"""Where an HMM database is looked for, and what is said where there is none."""

import bz2
import gzip
import lzma
import os
import re

import golden
import pytest
from pyhmmer.hmmer import hmmpress
from scanning import LIBRARY, records, scan_here

from pfamnet.errors import PfamnetError
from pfamnet.model.directory import open_model
from pfamnet.model.hmm_database import find_database, open_database
from pfamnet.profiles.files import read_hmms, write_profiles
from pfamnet.scan.opening import open_any


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "db").mkdir()
    hmm = next(read_hmms(LIBRARY))
    write_profiles(tmp_path / "db" / "pf.hmm.h3m", [hmm])
    (tmp_path / "x.fa").write_bytes(records("P15056"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_flat_file_beside_a_pressed_one(folder):
    (folder / "db" / "pf.hmm").write_bytes(b"")
    assert scan_here("-o", "out", "--report", "text", "db/pf.hmm", "x.fa") == 0
    # as hmmscan names it
    assert re.search(rb"\n# target HMM database: +pf.hmm\n", (folder / "out").read_bytes())


def test_what_hmmpress_wrote_is_read_unless_the_flat_file_is_newer(folder):
    flat, pressed = folder / "db" / "pf.hmm", folder / "db" / "pf.hmm.h3m"
    flat.write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    for seconds, read in ((-1, pressed), (0, pressed), (1, flat)):
        os.utime(flat, ns=(0, pressed.stat().st_mtime_ns + seconds * 10**9))
        assert find_database(flat) == read
        assert open_any(flat, print).name == "pf.hmm"


def test_directories_of_PFAMDB(folder, monkeypatch, capfd):
    assert scan_here("pf.hmm", "x.fa") == 1
    assert capfd.readouterr().err == "pfamnet-scan: pf.hmm: no such file or directory\n"
    monkeypatch.setenv("PFAMDB", f"/none::{folder / 'db'}")
    assert scan_here("-o", "/dev/null", "pf.hmm", "x.fa") == 0
    (folder / "db" / "flat").write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    assert scan_here("-o", "/dev/null", "flat", "x.fa") == 0


def test_a_directory_without_permission(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PfamnetError, match="db: permission denied"):
        open_model("db")


@pytest.mark.parametrize("pack", (bz2.compress, lzma.compress))
def test_compressed_databases(pack, folder):
    text = gzip.decompress(LIBRARY.read_bytes())
    (folder / "packed").write_bytes(pack(text))
    assert [hmm.name for hmm in read_hmms("packed")] == [hmm.name for hmm in read_hmms(LIBRARY)]
    (folder / "packed").write_bytes(pack(text)[:-20000])
    with pytest.raises(PfamnetError, match="^packed: "):
        list(read_hmms("packed"))


@pytest.fixture
def pressed(tmp_path):
    """Three profiles, pressed by pyhmmer as by hmmpress, and where the second and third begin."""
    hmms = golden.hmms()[:3]
    hmmpress(hmms, tmp_path / "db")
    return tmp_path / "db", write_profiles(tmp_path / "same.h3m", hmms)[1:]


def test_a_pressed_database_cut_off_between_two_profiles_is_noticed(pressed):
    path, (_, third) = pressed
    binary = path.with_name("db.h3m")
    assert len(open_database(binary).families) == 3
    binary.write_bytes(binary.read_bytes()[:third])
    with pytest.raises(PfamnetError, match=r"db.h3m: 2 profiles, and hmmpress counted 3 .* cut off$"):
        open_database(binary)
    path.with_name("db.h3i").write_bytes(b"no index")
    assert len(open_database(binary).families) == 2


def test_a_flat_database_with_fewer_profiles_than_its_pressed_one_is_warned_of(pressed):
    path, _ = pressed
    with open(path, "wb") as file:
        for hmm in golden.hmms()[:2]:
            hmm.write(file)
    warnings = []
    assert len(open_database(path, warnings.append).families) == 2
    assert warnings == [f"warning: {path}: 2 profiles, and hmmpress counted 3 (.h3i)"]
