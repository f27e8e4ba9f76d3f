"""The Python API: sequences from anywhere, what a scan gives, and how it ends."""

import errno
import gzip
import io
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import untrained
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from golden import families
from scanning import ENVIRONMENT, LIBRARY, PROTEINS, records, scan_here

import pfamnet
from pfamnet.api import Scan
from pfamnet.io.fasta import read_fasta
from pfamnet.output.rows import COLUMNS

NAMES = ["P15056", "P06213", "P07949"]
TEXT = records(*NAMES)
SEQUENCES = {record.name: record.sequence for record in read_fasta("-", io.BytesIO(TEXT))}


@pytest.fixture(scope="module")
def model():
    return pfamnet.Model(LIBRARY)


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    return pfamnet.Model(untrained.write_model(tmp_path_factory.mktemp("hybrid") / "model"))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(TEXT)
    return path


def found(scan):
    return [(protein.name, protein.length, protein.domains) for protein in scan]


def test_three_names_are_imported_when_they_are_used():
    code = (
        "import sys, pfamnet; heavy = {'numpy', 'pyhmmer', 'onnxruntime', 'click'}; "
        "assert not heavy & set(sys.modules); assert dir(pfamnet) >= ['Model']; "
        "pfamnet.PfamnetError; assert not heavy & set(sys.modules); "
        "function = pfamnet.scan; import pfamnet.scan.opening; from pfamnet.scan import workers; "
        "assert pfamnet.scan is function and workers.in_order; from pfamnet import *; "
        "assert scan is function and Model; assert 'click' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=ENVIRONMENT)
    with pytest.raises(AttributeError, match="no attribute 'search'"):
        _ = pfamnet.search
    assert (Path(pfamnet.__file__).parent / "py.typed").exists()


def test_sequences_come_from_anywhere(model, path, tmp_path, monkeypatch):
    SeqIO = pytest.importorskip("Bio.SeqIO")
    from pyhmmer.easel import Alphabet, DigitalSequence, SequenceFile, TextSequence

    packed = tmp_path / "x.fa.gz"
    packed.write_bytes(gzip.compress(TEXT))
    expected = found(model.scan(path))
    assert [name for name, _, _ in expected] == NAMES and all(domains for _, _, domains in expected)
    texts = [TextSequence(name=name, sequence=sequence) for name, sequence in SEQUENCES.items()]
    digital: list[DigitalSequence] = [text.digitize(Alphabet.amino()) for text in texts]
    with SequenceFile(str(path), digital=True) as file, open(path, "rb") as stream:
        for sequences in (
            str(path),
            packed,
            [path],
            stream,
            io.BytesIO(gzip.compress(TEXT)),
            SEQUENCES,
            SEQUENCES.items(),
            ((name, sequence.lower().encode()) for name, sequence in SEQUENCES.items()),
            SeqIO.parse(path, "fasta"),
            SeqIO.to_dict(SeqIO.parse(path, "fasta")).values(),
            SeqIO.to_dict(SeqIO.parse(path, "fasta")),
            SeqIO.index(str(path), "fasta"),
            ((text.name, text) for text in texts),
            texts,
            digital,
            file,
            list(read_fasta(path)),
        ):
            assert found(model.scan(sequences)) == expected, sequences
    assert found(model.scan([path, packed])) == expected * 2
    assert found(model.scan(texts[0])) == found(model.scan(next(SeqIO.parse(path, "fasta")))) == expected[:1]
    pandas = pytest.importorskip("pandas")
    assert found(model.scan(pandas.Series(SEQUENCES))) == expected


def test_names_and_descriptions_are_those_of_files(model, path):
    SeqIO = pytest.importorskip("Bio.SeqIO")
    expected = [(protein.name, protein.description) for protein in model.scan(path)]
    expected[0] = (expected[0][0], "a description")
    headers = [(" ".join(pair), SEQUENCES[pair[0]]) for pair in expected]
    path.write_text("".join(f">{header}\n{sequence}\n" for header, sequence in headers))
    for sequences in (headers, dict(headers), SeqIO.parse(path, "fasta")):
        assert [(protein.name, protein.description) for protein in model.scan(sequences)] == expected
    (protein,) = model.scan([SeqRecord(Seq("MKV"), id="Pro", description="Protein  kinase")])
    assert (protein.name, protein.description) == ("Pro", "Protein  kinase")
    (protein,) = model.scan([("a\nb", "mkv la\n*")])
    assert (protein.name, protein.description, protein.sequence) == ("a", "b", "MKVLA*")


@pytest.mark.parametrize(
    "sequences, said",
    (
        ([("bad", "MK1L-LA")], "sequences: record 1 'bad': illegal character '1' at position 3"),
        ({"a": "MKV", "b": "M K-V"}, "sequences: record 2 'b': illegal character '-' at position 3"),
        ([("a", "Mé")], "illegal character 'é' at position 2"),
        ([("", "MKV")], "sequences: record 1: no name"),
        ([(" ", "MKV")], "sequences: record 1: no name"),
        ([("a", "MKV", "x")], "record 1: neither a (name, sequence) pair nor a sequence"),
        ([7], "record 1: neither a (name, sequence) pair nor a sequence: 7"),
        (7, "neither a file nor sequences: int"),
        (io.StringIO(">a\nMKV"), "a stream of text; open it as binary"),
        (io.BytesIO(b">a\nMK1"), "stream: record 1 'a': illegal character '1'"),
        ({"a": None}, "record 1 'a': no sequence: None"),
        ({"a": float("nan")}, "record 1 'a': no sequence: nan"),
        ({"a": True}, "record 1 'a': no sequence: True"),
        ([(None, "MKV")], "record 1: no name: None"),
        ([SeqRecord(Seq("MKV"))], "record 1: no name: None"),
        ([("\ud800a", "MKV")], "record 1 '\\ud800a': not Unicode text"),
        ([SeqRecord(None, id="a")], "record 1 'a': no sequence: None"),
        ([SeqRecord(Seq(None, length=9), id="a")], "record 1 'a': no sequence: Seq(None, length=9)"),
        ("none.fa", "none.fa: no such file or directory"),
        ([PROTEINS, "none.fa"], "none.fa: no such file or directory"),
    ),
)
def test_mistakes_are_those_of_files(model, sequences, said):
    with pytest.raises(pfamnet.PfamnetError) as error:
        list(model.scan(sequences))
    assert said in str(error.value)


def test_a_mistake_comes_after_the_proteins_before_it(model):
    scan = model.scan({**SEQUENCES, "bad": "MK1"})
    assert [next(scan).name for _ in NAMES] == NAMES
    with pytest.raises(pfamnet.PfamnetError, match="record 4 'bad'"):
        next(scan)
    scan = model.scan({**SEQUENCES, "bad": "MK1"})
    assert "P15056" in scan._repr_html_()
    with pytest.raises(pfamnet.PfamnetError, match="record 4 'bad'"):
        list(scan)


@pytest.mark.parametrize(
    "options, said",
    (
        ({"mode": "fast"}, "mode='fast': not one of auto, hybrid, profiles, network"),
        ({"sensitivity": 3}, "sensitivity=3: not one of fast, default, sensitive"),
        ({"bit_cutoffs": "ga"}, "bit_cutoffs='ga': not one of None, gathering, trusted, noise"),
        ({"evalue": 1}, "evalue: no option of a scan"),
        ({"Z": -5}, "Z=-5: not over 0"),
        ({"domZ": float("inf")}, "domZ=inf: not finite"),
        ({"E": 0}, "E=0: not over 0"),
        ({"E": "1e-5"}, "E='1e-5': not a number"),
        ({"incE": None}, "incE=None: not a number"),
        ({"T": float("nan")}, "T=nan: not a number"),
        ({"seed": -1}, "seed=-1: not a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed=4294967296: not a whole number from 0"),
        ({"null2": "no"}, "null2='no': neither True nor False"),
        ({"cpus": "2"}, "cpus='2': not a whole number"),
        ({"mode": ["auto"]}, "mode=['auto']: not one of auto"),
        ({"E": 10**400}, "not a number"),
        ({"device": []}, "device=[]: not the name of a device"),
        ({"top": []}, "top=[]: neither True nor False"),
        ({"alignments": 1}, "alignments=1: neither True nor False"),
        ({"genetic_code": "1"}, "genetic code '1': not one of 1, 2"),
        ({"genetic_code": True}, "genetic code True: not one of 1, 2"),
        ({"families": 5}, "families: not names or accessions"),
        ({"families": [1]}, "families: not names or accessions"),
        ({"bit_cutoffs": "gathering", "E": 1}, "bit_cutoffs and E exclude each other"),
        ({"E": 1, "T": 20}, "E and T exclude each other"),
        ({"sensitivity": "sensitive", "F1": 0.1}, "sensitivity='sensitive' and F1 exclude each other"),
        ({"sensitivity": "sensitive", "bias_filter": False}, "and bias_filter exclude each other"),
        ({"top": True, "mode": "profiles"}, "top and mode='profiles' exclude each other"),
        ({"top": True, "families": ["a"]}, "top and families exclude each other"),
        ({"mode": "network", "bit_cutoffs": "noise"}, "mode='network' and bit_cutoffs exclude each other"),
        ({"mode": "network"}, "is an HMM database and has no network"),
        ({"top": True}, "is an HMM database and has no network"),
    ),
)
def test_options_that_are_none(model, options, said):
    with pytest.raises(pfamnet.PfamnetError) as error:
        model.scan(SEQUENCES, **options)
    assert said in str(error.value)


def test_domains_are_those_of_the_command_line(model, path, tmp_path):
    table = tmp_path / "x.tsv"
    assert scan_here("-o", table, "--cut_ga", LIBRARY, path) == 0
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    ours = []
    for protein in model.scan(path, bit_cutoffs="gathering"):
        starts = [domain.start for domain in protein.domains]
        assert starts == sorted(starts)
        for domain in protein.domains:
            numbers = domain.start, domain.end, domain.env_start, domain.env_end
            scores = f"{domain.evalue:.2g}", f"{domain.score:.1f}"
            ours.append((domain.family, domain.accession, protein.name, *map(str, numbers), *scores))
    assert sorted((*row[:2], row[3], *row[17:21], row[12], row[13]) for row in rows) == sorted(ours)


def test_architectures_have_the_best_of_each_clan(hybrid):
    proteins = list(hybrid.scan(SEQUENCES, mode="profiles", bit_cutoffs="gathering"))
    (protein,) = [protein for protein in proteins if protein.name == "P15056"]
    assert {"Pkinase", "PK_Tyr_Ser-Thr"} <= {domain.family for domain in protein.domains}
    names = protein.architecture().split()
    assert len({"Pkinase", "PK_Tyr_Ser-Thr"} & set(names)) == 1
    assert protein.architecture("~") == "~".join(names) and names[-1] in repr(protein)
    weak = list(hybrid.scan(SEQUENCES, mode="profiles", incE=1e-300, incdomE=1e-300))
    assert all(protein.domains and protein.architecture() == "" for protein in weak)


def test_options_reach_the_scan(model, hybrid):
    assert list(model.scan(SEQUENCES, E=1e-300))[1].domains == []
    first, *_ = model.scan(SEQUENCES, alignments=True)
    assert first.domains[0].alignment.sequence and first.domains[1].alignment.model
    assert [len(p.hits) for p in hybrid.scan(SEQUENCES, top=True, cpus=2)] == [1, 1, 1]
    seen = []
    list(model.scan(SEQUENCES, callback=seen.append))
    assert [protein.name for protein in seen] == NAMES
    assert "22 families" in repr(model) and "light network" in repr(hybrid) and hybrid.networks == ("light",)
    assert [family.name for family in model.families] == [family.name for family in families()]


def test_scan_is_a_model_and_its_scan(path, model):
    assert (
        found(pfamnet.scan(path, LIBRARY))
        == found(pfamnet.scan(path, model=model))
        == found(model.scan(path))
    )
    with pytest.raises(pfamnet.PfamnetError, match="none: no such file or directory"):
        pfamnet.scan(path, "none")


def test_data_frames(model):
    pandas = pytest.importorskip("pandas")
    scan = model.scan({**SEQUENCES, "caf\udce9": "MKV"})
    frame = scan.to_pandas()
    assert list(frame.columns) == list(COLUMNS) and len(frame) > 5
    assert frame["query"].tolist() == sorted(frame["query"], key=NAMES.index)
    empty = model.scan({"a": "MKV"}).to_pandas()
    assert len(empty) == 0 and empty.dtypes.equals(frame.dtypes)
    kinds = {str(frame[name].dtype) for name in ("start", "evalue", "included", "family")}
    assert kinds == {"int64", "float64", "bool", "string"}
    assert frame["start"].sum() == sum(d.start for p in model.scan(SEQUENCES) for d in p.domains)
    with pytest.raises(pfamnet.PfamnetError, match="read already"):
        scan.to_pandas()
    assert isinstance(frame, pandas.DataFrame)


@pytest.mark.parametrize("library, kind", (("polars", "to_polars"), ("pyarrow", "to_arrow")))
def test_other_data_frames(library, kind, model, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(pfamnet.PfamnetError, match=f"{library} is not installed; pip install {library}"):
        getattr(model.scan(SEQUENCES), kind)()
    monkeypatch.undo()
    pytest.importorskip(library)
    frame = getattr(model.scan(SEQUENCES), kind)().to_pandas()
    expected = model.scan(SEQUENCES).to_pandas()
    assert list(frame.columns) == list(COLUMNS) and frame.values.tolist() == expected.values.tolist()
    assert getattr(model.scan({"a": "MKV"}), kind)().to_pandas().columns.tolist() == list(COLUMNS)


FORMATS = ["tsv", "tblout", "domtblout", "pfamtblout", "gff3", "jsonl", "html", "txt"]


def test_every_table_is_written_as_by_the_command(model, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--tblout", "c.tblout", "--domtblout", "c.domtblout", "--pfamtblout", "c.pfamtblout"]
    options += ["--gff3", "c.gff3", "--json-lines", "c.jsonl", "--no-date"]
    assert scan_here(*options, "-o", "c.tsv", LIBRARY, path) == 0
    assert scan_here("--report", "text", "--no-date", "-o", "c.txt", LIBRARY, path) == 0
    assert scan_here("--report", "html", "--no-date", "-o", "c.html", LIBRARY, path) == 0
    for ending in FORMATS:
        settings = {"command": "pfamnet-scan", "query": "x.fa", "date": False}
        scan = model.scan(path, alignments=ending == "txt", mode="profiles")
        assert scan.write(f"p.{ending}", **settings) == len(NAMES)
        command, ours = (
            [
                line
                for line in Path(f"{who}.{ending}").read_bytes().splitlines()
                if b"pfamnet-scan " not in line
            ]
            for who in "cp"
        )
        assert [line for line in ours if b"pfamnet-scan" not in line and b"x.fa" not in line] == [
            line for line in command if b"pfamnet-scan" not in line and b"x.fa" not in line
        ]
    stream = io.BytesIO()
    model.scan(path).write(stream, "tsv", gff3="q.gff3", date=False)
    assert stream.getvalue() == Path("c.tsv").read_bytes()
    assert Path("q.gff3").read_bytes() == Path("c.gff3").read_bytes()


class Full(io.RawIOBase):
    """A stream that takes nothing."""

    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_cannot_be_written(model, path, tmp_path):
    for arguments, said in (
        ((tmp_path / "x.xls",), "name its format; endings known are .tsv"),
        ((tmp_path / "x", "xls"), "xls: not one of the formats tsv, "),
        ((io.BytesIO(),), "a stream: name its format"),
        ((tmp_path / "x.txt",), "text: needs a scan with alignments=True"),
        ((path, "tsv"), "is an input, which would be overwritten"),
        ((tmp_path / "no" / "x.tsv",), "no such file or directory"),
        ((os.fsencode(tmp_path / "x.xls"),), "name its format; endings known are .tsv"),
        (("/dev/full", "tsv"), "/dev/full: no space left on device"),
        ((Full(), "tsv"), "stream: no space left on device"),
        ((io.StringIO(), "tsv"), "a text stream cannot be written: open it in binary mode"),
    ):
        with pytest.raises(pfamnet.PfamnetError) as error:
            model.scan(path).write(*arguments)
        assert said in str(error.value)
    assert path.read_bytes() == TEXT and sorted(os.listdir(tmp_path)) == ["x.fa"]


def test_a_table_that_failed_is_marked(model, tmp_path):
    table = tmp_path / "x.tsv"
    with pytest.raises(pfamnet.PfamnetError):
        model.scan({**SEQUENCES, "bad": "MK1"}).write(table)
    assert table.read_text().splitlines()[-1].startswith("# incomplete: sequences: record 4 'bad'")


def test_proteins_and_models_are_pickled_small(hybrid, model):
    (protein,) = hybrid.scan({"a": SEQUENCES["P15056"]})
    data = pickle.dumps(protein)
    twin = pickle.loads(data)
    assert twin == protein and hash(twin) == hash(protein) and set(twin.families) < set(range(22))
    assert twin.domains == protein.domains and twin.domains[0].clan == protein.domains[0].clan
    assert twin.architecture() == protein.architecture() != ""
    assert pickle.loads(pickle.dumps(twin)) == twin
    for one in (hybrid, model):
        again = pickle.loads(pickle.dumps(one))
        assert repr(again) == repr(one) and found(again.scan(SEQUENCES)) == found(one.scan(SEQUENCES))


def test_a_notebook_shows_the_first_and_keeps_all(model):
    scan = model.scan({f"<p{n}>": SEQUENCES["P15056"] for n in range(12)})
    shown = scan._repr_html_()
    assert shown.count("<table>") == 1 and "&lt;p9&gt;" in shown and "&lt;p10&gt;" not in shown
    assert "The first 10 proteins" in shown and "<p0>" not in shown and scan._repr_html_() == shown
    assert len(list(scan)) == 12 and "read already" in scan._repr_html_()
    nothing = model.scan({"a": "MKV"})
    assert "no domains" in nothing._repr_html_() and len(nothing.to_pandas()) == 0


def test_odd_sequences_are_warned_of(model):
    with pytest.warns(UserWarning, match="sequences: record 1 'gene': 100% of it is A, C, G, T, U or N"):
        list(model.scan({"gene": "ACGT" * 30}))
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(model.scan(io.BytesIO(b""), warn=told.append))
    assert told == ["warning: stream: no sequences"]


def endless():
    while True:
        yield from SEQUENCES.items()


def settled(before):
    """Whether the threads that were not there before have ended."""
    for _ in range(200):
        if set(threading.enumerate()) <= before:
            return True
        time.sleep(0.05)
    return False


def test_closed_early_nothing_is_left(model, path, tmp_path):
    before, files = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    with model.scan(endless(), cpus=2) as scan:
        assert isinstance(scan, Scan) and next(scan).name == "P15056"
    assert settled(before) and list(scan) == []
    with open(path, "ab") as file:
        file.write(TEXT * 500)
    scan = model.scan(path)
    next(scan)
    del scan
    assert settled(before)
    for protein in model.scan(path):
        if protein.record.number == 2:
            break
    with pytest.raises(RuntimeError, match="mine"):

        def fail(protein):
            raise RuntimeError("mine")

        model.scan(path, callback=fail).write(tmp_path / "x.tsv")
    assert settled(before) and len(os.listdir("/proc/self/fd")) <= files
    assert (tmp_path / "x.tsv").read_text() == ""


def test_threads_share_a_model_and_a_scan(hybrid):
    expected = found(hybrid.scan(SEQUENCES))
    results = {}

    def work(n):
        results[n] = found(hybrid.scan(SEQUENCES, sensitivity=("default", "fast")[n % 2], cpus=2))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    shared, taken = hybrid.scan({f"p{n}": SEQUENCES["P15056"] for n in range(60)}), []
    threads += [threading.Thread(target=lambda: taken.extend(p.name for p in shared)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [results[n] for n in (0, 2, 4)] == [expected] * 3 and results[1] == results[3] == results[5]
    assert sorted(taken) == sorted(f"p{n}" for n in range(60))
