"""`--save-hmm` gives the profiles of a model back to HMMER."""

import golden
import pytest
import untrained
from pyhmmer.plan7 import HMMFile
from scanning import scan_here


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untrained.write_model(tmp_path_factory.mktemp("model") / "made")


@pytest.mark.parametrize("name, begin", [("out.hmm", b"HMMER3/f"), ("out.h3m", b"\xba\xed\xed\xe8")])
def test_hmmer_reads_what_the_model_was_made_of(model, tmp_path, name, begin):
    assert scan_here("--save-hmm", tmp_path / name, model) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(begin)
    with HMMFile(tmp_path / name) as file:
        assert [hmm.checksum for hmm in file] == [hmm.checksum for hmm in golden.hmms()]


def test_the_file_is_the_database_that_it_came_from(model, tmp_path):
    assert scan_here("--save-hmm", tmp_path / "one.hmm", model) == 0
    assert scan_here("--save-hmm", tmp_path / "two.hmm", tmp_path / "one.hmm") == 0
    assert (tmp_path / "one.hmm").read_bytes() == (tmp_path / "two.hmm").read_bytes()


@pytest.mark.parametrize("arguments", ["--save-hmm new.hmm made x.fa", "--save-hmm made/model.json made"])
def test_wrong_use_is_refused(model, tmp_path, monkeypatch, capfd, arguments):
    monkeypatch.chdir(model.parent)
    before = sorted(model.parent.rglob("*"))
    assert scan_here(*arguments.split()) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert sorted(model.parent.rglob("*")) == before


def test_a_model_that_is_damaged_leaves_no_file(tmp_path, capfd):
    assert scan_here("--save-hmm", tmp_path / "out.hmm", tmp_path / "nothing") == 1
    assert capfd.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_no_argument_at_all(capfd):
    assert scan_here() == 2
    assert "Missing argument" in capfd.readouterr().err
