"""The modes: hybrid, profiles, network; and HMM databases as models."""

import gzip
from dataclasses import replace

import pytest
import untrained
from scanning import LIBRARY, PROTEINS, records, rows, scan_here, table

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.errors import PfamnetError
from pfamnet.model.directory import SENSITIVITIES, NetworkInfo, OpenedModel, Sensitivity
from pfamnet.model.hmm_database import find_database, open_database
from pfamnet.profiles.files import read_hmms, write_profiles
from pfamnet.scan.opening import ScanOptions, mode_of


@pytest.fixture
def two(tmp_path):
    path = tmp_path / "two.fa"
    path.write_bytes(records("P15056", "P06213"))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untrained.write_model(tmp_path_factory.mktemp("modes") / "untrained")


def test_hybrid_rows_are_those_of_every_profile(model, capfdbinary):
    """But for c-Evalues, which count the families reported for the query."""
    hybrid = table(capfdbinary, "--mode", "hybrid", model, PROTEINS)
    every = table(capfdbinary, "--mode", "profiles", model, PROTEINS)
    every = {(row[3], row[0], row[9]): row for row in every}
    shared = [row for row in hybrid if row[23] != b"network"]
    assert {row[23] for row in hybrid} == {b"profile", b"network", b"both"}
    assert 20 < len(shared) < len(every)
    for row in shared:
        other = every[row[3], row[0], row[9]]
        assert row[:11] + row[12:23] == other[:11] + other[12:23]
        assert float(row[11]) <= 1.05 * float(other[11])  # never more families
    given = table(capfdbinary, "--mode", "hybrid", "--domZ", "3", model, PROTEINS)
    every = table(capfdbinary, "--domZ", "3", "--mode", "profiles", model, PROTEINS)
    every = {tuple(row[:23]) for row in every}
    assert all(tuple(row[:23]) in every for row in given if row[23] != b"network")


def test_auto_searches_every_profile_where_the_network_saves_no_time(model, capfdbinary):
    every = table(capfdbinary, "--mode", "profiles", model, PROTEINS)
    assert table(capfdbinary, model, PROTEINS) == every
    named = table(capfdbinary, "--network", "light", model, PROTEINS)
    assert {row[23] for row in named} >= {b"profile", b"network"}
    found = {tuple(row[:11] + row[12:23]) for row in named}  # but for c-Evalues
    assert found >= {tuple(row[:11] + row[12:23]) for row in every}


@pytest.mark.parametrize(
    ("families", "passing", "mode"), [(3, 500, "profiles"), (2175, 500, "profiles"), (2176, 500, "hybrid")]
)
def test_what_auto_is_depends_on_candidates_and_families(families, passing, mode):
    sensitivity = Sensitivity(-5.0, 512, 1024, passing)
    info = NetworkInfo(16, dict.fromkeys(SENSITIVITIES, sensitivity), None)
    model = OpenedModel(None, [None] * families, None, {"light": info}, {})
    assert mode_of(model, ScanOptions()) == mode
    assert mode_of(model, ScanOptions(network="light")) == "hybrid"
    assert mode_of(model, ScanOptions(sensitivity="sensitive")) == "hybrid"
    assert mode_of(replace(model, networks={}), ScanOptions()) == "profiles"


def test_network_alone(model, capfdbinary):
    found = table(capfdbinary, "--mode", "network", model, PROTEINS)
    assert found and {row[23] for row in found} == {b"network"}
    assert all(float(row[6]) <= 0.01 for row in found)
    strict = table(capfdbinary, "--mode", "network", "--incE", "1e-4", model, PROTEINS)
    assert len(strict) < len(found)
    some = table(
        capfdbinary, "--mode", "network", "-T", "7", "--incT", "6", "--incdomT", "6", model, PROTEINS
    )
    assert len(some) > len(found) and all(float(row[7]) >= 7 for row in some)


def test_network_has_no_cutoffs(model, capfd):
    assert run(scan, ["--mode", "network", "--cut_ga", str(model), str(PROTEINS)]) == 2
    assert "--cut_ga is for profiles" in capfd.readouterr().err


def test_cutoffs_silence_the_network(model, capfdbinary):
    assert b"network" not in {row[23] for row in table(capfdbinary, "--cut_ga", model, PROTEINS)}


def test_fewer_candidates_are_fewer_rows(model, capfdbinary):
    def found(option):
        return {
            tuple(row[:11]) for row in table(capfdbinary, option, model, PROTEINS) if row[23] != b"network"
        }

    fast, sensitive = found("--fast"), found("--sensitive")
    assert len(fast) < len(sensitive)


@pytest.mark.parametrize("mode", ("hybrid", "network", "profiles"))
def test_threads_and_neighbours_do_not_matter(model, mode, tmp_path, capfdbinary):
    whole = PROTEINS.read_bytes().split(b">")[1:]
    expected = sorted(table(capfdbinary, "--mode", mode, "--cpu", 1, model, PROTEINS))
    found = []
    for part, texts in enumerate((whole[::2][::-1], whole[1::2][::-1])):
        path = tmp_path / f"{part}.fa"
        path.write_bytes(b"".join(b">" + text for text in texts))
        found += table(capfdbinary, "--mode", mode, "--cpu", 2 + part, model, path)
    assert sorted(found) == expected


def test_a_library_is_scanned_by_every_profile(tmp_path, two, capfdbinary):
    assert scan_here(LIBRARY, two) == 0
    expected = capfdbinary.readouterr().out
    assert run(scan, [str(LIBRARY), str(two)]) == 0
    said = capfdbinary.readouterr()
    assert said.out == expected and not said.err
    assert run(scan, ["--mode", "hybrid", str(LIBRARY), str(two)]) == 0
    said = capfdbinary.readouterr()
    assert said.out == expected
    assert said.err.count(b"\n") == 1 and b"has no network: every profile is searched" in said.err
    ascii_, h3m = tmp_path / "a.hmm", tmp_path / "b.h3m"
    ascii_.write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    write_profiles(h3m, read_hmms(LIBRARY))
    (tmp_path / "c.gz").write_bytes(gzip.compress(h3m.read_bytes()))
    for path in (ascii_, h3m, tmp_path / "c.gz", tmp_path / "b"):
        assert scan_here(path, two) == 0
        assert capfdbinary.readouterr().out == expected


def test_a_library_has_no_network(two, capfd):
    for options in (["--mode", "network"], ["--network", "light"]):
        assert run(scan, [*options, str(LIBRARY), str(two)]) == 2
        assert "has no network" in capfd.readouterr().err


def test_libraries_that_are_none(tmp_path, two, capfd):
    hmms = list(read_hmms(LIBRARY))[:2]
    double = tmp_path / "double.h3m"
    write_profiles(double, [*hmms, hmms[0]])
    with pytest.raises(PfamnetError, match=f"profile 3 '{hmms[0].name}': has the name of profile 1"):
        open_database(double)
    for path in (double, tmp_path / "none", tmp_path):
        assert scan_here(path, two) == 1
        said = capfd.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and path.name in said.err


def test_find_database(tmp_path):
    assert find_database(tmp_path) is None and find_database(tmp_path / "x") is None
    (tmp_path / "x.h3m").touch()
    assert find_database(tmp_path / "x") == tmp_path / "x.h3m"
    (tmp_path / "x").touch()
    assert find_database(tmp_path / "x") == tmp_path / "x.h3m"  # hmmscan does not read the flat file
    (tmp_path / "x").write_bytes(b"HMMER3/f")
    assert find_database(tmp_path / "x") == tmp_path / "x"


def test_profiles_without_accession(tmp_path, two, capfdbinary):
    hmms = list(read_hmms(LIBRARY))
    for hmm in hmms:
        hmm.accession = None
        hmm.description = None
        hmm.consensus = None
    write_profiles(tmp_path / "bare.h3m", hmms)
    assert scan_here(tmp_path / "bare.h3m", two, "--domtblout", tmp_path / "dom") == 0
    found = [row.split(b"\t") for row in rows(capfdbinary.readouterr().out)]
    assert found and all(row[1] == row[22] == b"-" for row in found)


def test_sensitive_profiles_are_unfiltered(two, capfdbinary):
    outs = []
    for option in ("--sensitive", "--max"):
        assert scan_here(option, LIBRARY, two) == 0
        outs.append(capfdbinary.readouterr().out)
    assert outs[0] == outs[1]


def test_options_of_the_profile_stage_act(two, capfdbinary):
    assert scan_here(LIBRARY, two) == 0
    plain = capfdbinary.readouterr().out
    for option in (
        ["--nonull2"],
        ["-Z", "1000"],
        ["--domZ", "1000"],
        ["--F3", "1e-30"],
        ["-T", "200"],
        ["-E", "1e-30"],
        ["--domE", "1e-30"],
        ["--domT", "100"],
        ["--cut_tc"],
        ["--F1", "-1"],
    ):
        assert scan_here(*option, LIBRARY, two) == 0
        assert capfdbinary.readouterr().out != plain, option


def test_a_device_that_nothing_uses_is_said(tmp_path, two, capfd):
    model = untrained.write_model(tmp_path / "model")
    for path in (model, LIBRARY):
        assert run(scan, ["--device", "cuda", str(path), str(two)]) == 0
        err = capfd.readouterr().err
        assert "device cuda has no effect: only the ESM network uses it" in err and err.count("\n") == 1
