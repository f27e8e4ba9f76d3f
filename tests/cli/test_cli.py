"""Both programs as a user has them: real models, real files, pipes, and start-up."""

import gzip
import json
import math
import resource
import shlex
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from conftest import environment, program, refused, scan

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan as command
from pfamnet.model.directory import open_model
from pfamnet.output.tsv import TSV_COLUMNS

QUERIES = synthetic.queries()
# with these thresholds the network reports whatever it proposes
HYBRID = ["--mode", "hybrid"]  # auto, the default, searches every profile of models as small as these
EVERYTHING = ["--incE", 100, "--incdomE", 100, "-E", 100, "--domE", 100]


def fasta(records):
    return synthetic.fasta((record[0], record[1]) for record in records)


@pytest.fixture(scope="session")
def queries(tmp_path_factory):
    path = tmp_path_factory.mktemp("queries") / "q.fa"
    path.write_text(fasta(QUERIES))
    return path


@pytest.fixture
def here(capfdbinary):
    """pfamnet-scan in this process, hybrid if no mode is given: rows of the main table as lists of words."""

    def here(*arguments, said=b""):
        mode = [] if "--mode" in arguments else HYBRID
        status = run(command, [*mode, *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        assert status == 0 and err == said, err
        return rows(out)

    return here


def rows(table):
    """Rows of a tab-separated main table."""
    lines = table.decode().splitlines()
    assert lines[0] == "#" + "\t".join(TSV_COLUMNS)
    return [dict(zip(TSV_COLUMNS, line.split("\t"), strict=True)) for line in lines[1:]]


def body(path):
    """A table of hmmscan's format but for the lines that say how it was made."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [line for line in lines if not line.startswith((b"# Option settings:", b"# Query file:"))]


def found(table):
    """{(query, family number): [(start, end)], 0-based half-open}"""
    places = {}
    for row in table:
        key = row["query_name"], int(row["target_accession"][3:7])
        places.setdefault(key, []).append((int(row["env_from"]) - 1, int(row["env_to"])))
    return places


def missed(queries, table):
    """Domains of which no row holds more than two thirds."""
    places = found(table)
    return [
        (name, family)
        for name, _, domains in queries
        for start, end, family in domains
        if not any(
            min(e, end) - max(s, start) > (end - start) * 2 / 3
            for s, e in places.get((name, int(family)), [])
        )
    ]


# What is found


@pytest.mark.parametrize("which", ["light_model", "esm_model"])
def test_the_domains_of_new_proteins_are_found(which, request, queries, here):
    """Most of them, that is: the networks have seen next to nothing."""
    table = here(request.getfixturevalue(which), queries)
    total = sum(len(domains) for _, _, domains in QUERIES)
    assert len(missed(QUERIES, table)) <= (total // 4 if which == "light_model" else total // 2)
    wrong = set(found(table)) - {(name, int(d[2])) for name, _, domains in QUERIES for d in domains}
    significant = [row for row in table if float(row["evalue"]) < 1e-3]
    assert not wrong & set(found(significant))


def test_rows_are_those_of_every_profile(light_model, queries, here):
    every = {
        (r["query_name"], r["target_name"], r["domain"]): r
        for r in here("--mode", "profiles", light_model, queries)
    }
    found = [row for row in here(light_model, queries) if row["source"] != "network"]
    for row in found:
        other = every[row["query_name"], row["target_name"], row["domain"]]
        assert {k: v for k, v in row.items() if k not in ("source", "c_evalue")} == {
            k: v for k, v in other.items() if k not in ("source", "c_evalue")
        }
    assert len(found) > 10


def test_a_domain_across_the_border_of_windows_is_found(light_model, tmp_path, here):
    """Windows of 4,096 residues every 3,584, what is kept of them ends at 3,840."""
    rng = np.random.default_rng(0)
    parts, places, length = [], [], 0
    for middle, family in ((1800, 0), (3840, 1), (4096, 2), (7424, 3), (7680, 4), (11008, 5), (19_900, 6)):
        domain = synthetic.domain(family, rng, changed=0.1)
        flank = synthetic.random_sequence(rng, middle - len(domain) // 2 - length)
        places.append((length + len(flank), length + len(flank) + len(domain), family))
        parts += [flank, domain]
        length = places[-1][1]
    protein = "".join(parts) + synthetic.random_sequence(rng, 20_000 - length)
    queries = [("long", protein, places)]
    (tmp_path / "long.fa").write_text(fasta(queries))
    table = here(light_model, tmp_path / "long.fa")
    assert missed(queries, table) == [] and {row["qlen"] for row in table} == {"20000"}


def test_a_protein_longer_than_hmmer_takes_is_scanned(light_model, tmp_path, here):
    rng = np.random.default_rng(1)
    domain = synthetic.domain(7, rng, changed=0.1)
    protein = synthetic.random_sequence(rng, 103_000) + domain + synthetic.random_sequence(rng, 3000)
    queries = [("titin", protein, [(103_000, 103_000 + len(domain), 7)])]
    (tmp_path / "long.fa").write_text(fasta(queries))
    assert missed(queries, here(light_model, tmp_path / "long.fa")) == []


# The same whatever is scanned besides, and however


def all_tables(folder, name):
    return [
        word
        for kind in ("domtblout", "tblout", "pfamtblout")
        for word in (f"--{kind}", folder / f"{name}.{kind}")
    ]


def test_tables_are_the_same_at_any_number_of_threads(light_model, queries, tmp_path, here):
    made = {}
    for cpu in (1, 2, 4):
        table = here("--no-date", "--cpu", cpu, *EVERYTHING, *all_tables(tmp_path, cpu), light_model, queries)
        made[cpu] = [
            table,
            *(body(tmp_path / f"{cpu}.{kind}") for kind in ("domtblout", "tblout", "pfamtblout")),
        ]
    assert made[1] == made[2] == made[4]
    assert len(made[1][0]) > 20


@pytest.mark.parametrize("options", [[], EVERYTHING], ids=["default", "everything"])
def test_a_protein_has_the_same_rows_alone_and_in_any_company(light_model, queries, tmp_path, here, options):
    together = here(*options, light_model, queries)
    backwards = tmp_path / "backwards.fa"
    backwards.write_text(fasta(QUERIES[::-1]))
    reversed_rows = here(*options, light_model, backwards)
    for name, sequence, _ in QUERIES:
        (tmp_path / "one.fa").write_text(fasta([(name, sequence)]))
        alone = here(*options, light_model, tmp_path / "one.fa")
        assert alone == [row for row in together if row["query_name"] == name]
        assert alone == [row for row in reversed_rows if row["query_name"] == name]


def test_output_is_in_the_order_of_the_input(light_model, tmp_path, here):
    """Short and long proteins in turn, on several threads."""
    rng, queries = np.random.default_rng(2), []
    for i in range(30):
        sequence, places = synthetic.protein([i % 8], rng, 20 if i % 3 else 1500)
        queries.append((f"x{i}", sequence, places))
    (tmp_path / "mixed.fa").write_text(fasta(queries))
    table = here("--cpu", 4, light_model, tmp_path / "mixed.fa")
    names = list(dict.fromkeys(row["query_name"] for row in table))
    assert names == [f"x{i}" for i in range(30)]
    assert [r["query_name"] for r in table] == sorted((r["query_name"] for r in table), key=names.index)


def test_a_second_scan_gives_the_same_bytes(light_model, queries, tmp_path, here):
    for name in ("a", "b"):
        here("--no-date", "--domtblout", tmp_path / name, light_model, queries)
    assert body(tmp_path / "a") == body(tmp_path / "b")


def test_proteins_without_residues_or_with_odd_letters_do_no_harm(light_model, tmp_path, here):
    name, sequence, _ = QUERIES[0]
    odd = sequence[:20].lower() + "*BJZXUO" + sequence[20:]
    (tmp_path / "odd.fa").write_text(
        f">empty\n>{name}\n{sequence}\n>empty2 nothing\n\n>odd\n{odd}\n>x\nX\n>end\n"
    )
    table = here(light_model, tmp_path / "odd.fa")
    assert {row["query_name"] for row in table} == {name, "odd"}


# Files and pipes


def test_plain_and_gzip_from_a_file_and_from_a_pipe_are_the_same(light_model, queries, tmp_path):
    plain = scan(*HYBRID, light_model, queries, text=False).stdout
    packed = tmp_path / "q.fa.gz"
    text = queries.read_bytes()
    packed.write_bytes(gzip.compress(text[:500]) + gzip.compress(text[500:]))
    assert scan(*HYBRID, light_model, packed, text=False).stdout == plain
    for path in (queries, packed):
        with open(path, "rb") as stdin:
            assert scan(*HYBRID, light_model, "-", text=False, stdin=stdin).stdout == plain
    assert len(rows(plain)) > 10


def test_head_ends_a_scan_quietly(light_model, tmp_path):
    (tmp_path / "many.fa").write_text("".join(f">p{i}\n{QUERIES[2][1]}\n" for i in range(300)))
    words = shlex.join([*program("pfamnet-scan"), "--cpu", "2", str(light_model), "-"])
    done = subprocess.run(
        f"set -o pipefail; cat many.fa | {words} | head -2; echo ${{PIPESTATUS[*]}} >&2",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.startswith("#target_name\t") and done.stdout.count("\n") == 2
    assert done.stderr.split()[1] in ("141", "0") and len(done.stderr.splitlines()) == 1


def test_rows_come_as_soon_as_they_are_found(light_model):
    """A pipe that stays open: the rows of all but the record under way are there."""
    with subprocess.Popen(
        [*program("pfamnet-scan"), *HYBRID, "--cpu", "2", str(light_model), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        process.stdin.write(fasta(QUERIES[:2]).encode())
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[0].startswith(b"#") and b"\tq0\t" in lines[1]
        process.stdin.close()
        assert b"\tq1\t" in process.stdout.read()


# Calls of the network alone


@pytest.fixture(scope="session")
def network_rows(light_model, tmp_path_factory):
    """Tables in which the network has rows of its own."""
    folder = tmp_path_factory.mktemp("network")
    rng = np.random.default_rng(5)
    decoys = [(f"decoy{i}", synthetic.random_sequence(rng, 60 + 40 * i), []) for i in range(8)]
    (folder / "q.fa").write_text(fasta([*QUERIES, *decoys]))
    options = *HYBRID, *EVERYTHING, "-o", folder / "tsv", *all_tables(folder, "all")
    scan(*options, light_model, folder / "q.fa")
    return folder


def test_rows_of_the_network_alone_have_every_field(network_rows):
    table = rows((network_rows / "tsv").read_bytes())
    sources = {row["source"] for row in table}
    assert sources == {"network", "both"}
    for row in (row for row in table if row["source"] == "network"):
        numbers = {
            name: float(value)
            for name, value in row.items()
            if name
            not in (
                "target_name",
                "target_accession",
                "query_name",
                "query_accession",
                "description",
                "source",
            )
        }
        assert all(map(math.isfinite, numbers.values()))
        assert row["description"].startswith("Made-up family")
        assert row["query_accession"] == "-" and row["target_accession"].startswith("PF9")
        assert 1 <= numbers["hmm_from"] <= numbers["hmm_to"] <= numbers["tlen"]
        for kind in ("ali", "env"):
            assert 1 <= numbers[f"{kind}_from"] <= numbers[f"{kind}_to"] <= numbers["qlen"]
        assert 0 <= numbers["acc"] <= 1 and numbers["domain"] == numbers["of"] == 1
        assert numbers["evalue"] == pytest.approx(8 * 2 ** -numbers["score"], rel=0.1)


def test_biopython_reads_every_row_of_domtblout(network_rows):
    from Bio import SearchIO

    table = rows((network_rows / "tsv").read_bytes())
    seen = []
    for result in SearchIO.parse(str(network_rows / "all.domtblout"), "hmmscan3-domtab"):
        for hit in result:
            for hsp in hit:
                seen.append((result.id, hit.id, hsp.domain_index, hsp.env_start + 1, hsp.env_end))
                assert all(
                    map(math.isfinite, (hsp.evalue, hsp.evalue_cond, hsp.bitscore, hsp.bias, hit.evalue))
                )
            sources = {
                r["source"] for r in table if (r["query_name"], r["target_name"]) == (result.id, hit.id)
            }
            assert hit.description.startswith("[network] ") == (sources == {"network"})
    expected = [
        (r["query_name"], r["target_name"], int(r["domain"]), int(r["env_from"]), int(r["env_to"]))
        for r in table
    ]
    assert sorted(seen) == sorted(expected) and len(seen) > 30


def test_biopython_reads_tblout_too(network_rows):
    from Bio import SearchIO

    hits = [
        (result.id, hit.id)
        for result in SearchIO.parse(str(network_rows / "all.tblout"), "hmmer3-tab")
        for hit in result
    ]
    table = rows((network_rows / "tsv").read_bytes())
    assert sorted(hits) == sorted({(row["query_name"], row["target_name"]) for row in table})


def test_a_network_row_is_marked_in_every_table(network_rows):
    count = sum(row["source"] == "network" for row in rows((network_rows / "tsv").read_bytes()))
    for kind in ("domtblout", "tblout"):
        text = (network_rows / f"all.{kind}").read_text()
        assert text.count(" [network] Made-up family") == count and text.endswith("# [ok]\n")


# Options


def test_sensitivities_try_more_and_more_candidates(esm_model, queries, here):
    """Of 8 families, each 1,024 residues: fast two on average, at most four; default four; sensitive all."""
    fast, default, sensitive = (
        {(row["query_name"], row["target_name"]) for row in here(*options, esm_model, queries)}
        for options in (["--fast"], [], ["--sensitive", "--network", "light"])
    )
    assert fast <= default < sensitive  # as sets
    assert all(sum(name == query for query, _ in fast) <= 4 for name, _, _ in QUERIES)
    assert len(missed(QUERIES, here("--sensitive", esm_model, queries))) <= 5  # of 20


def test_sensitive_takes_the_esm_network(esm_model, queries, here):
    sensitive = here("--sensitive", *EVERYTHING, esm_model, queries)
    assert sensitive == here("--sensitive", "--network", "esm", *EVERYTHING, esm_model, queries)
    assert sensitive != here("--sensitive", "--network", "light", *EVERYTHING, esm_model, queries)


@pytest.mark.parametrize("network", ["light", "esm"])
def test_each_network_can_scan_alone(esm_model, queries, here, network):
    table = here("--mode", "network", "--network", network, *EVERYTHING, esm_model, queries)
    assert table and {row["source"] for row in table} == {"network"}


def test_evalue_and_score_limit_what_is_reported(light_model, queries, here):
    every = here(light_model, queries)
    names = lambda table: [(row["query_name"], row["target_name"]) for row in table]
    evalue = sorted(float(row["evalue"]) for row in every)[len(every) // 2]
    # a digit more than is printed, so that rounding plays no part
    assert names(here("-E", evalue * 1.06, light_model, queries)) == names(
        row for row in every if float(row["evalue"]) <= evalue
    )
    score = sorted(float(row["score"]) for row in every)[len(every) // 2]
    assert names(here("-T", score - 0.06, light_model, queries)) == names(
        row for row in every if float(row["score"]) >= score
    )


def test_gathering_cutoffs_leave_profiles_hits_only(light_model, queries, here):
    table = here("--cut_ga", light_model, queries)
    assert table and all(float(row["score"]) >= synthetic.GA for row in table)
    assert "network" not in {row["source"] for row in table}


def test_gathering_cutoffs_of_a_model_of_plain_fasta(esm_model, queries, here):
    """They are made by the build, which says so, and stand in the profiles and the table."""
    model = open_model(esm_model)
    assert model.description["provenance"]["gathering"]["made"] == len(model.families)
    assert [family.ga for family in model.families] == [
        tuple(model.store.hmm(i).cutoffs.gathering) for i in range(len(model.families))
    ]
    cutoffs = {family.accession: family.ga[0] for family in model.families}
    table = here("--cut_ga", esm_model, queries)
    assert table and all(float(row["score"]) >= cutoffs[row["target_accession"]] - 0.06 for row in table)


def test_cutoffs_that_the_model_lacks_are_refused(light_model, queries):
    assert "no TC bit thresholds in the model" in refused(scan("--cut_tc", light_model, queries, check=False))


def test_z_scales_evalues(light_model, queries, here):
    one, other = here(light_model, queries), here("-Z", 8000, "-E", 1e4, "--domE", 1e9, light_model, queries)
    scores = {(r["query_name"], r["target_name"], r["domain"]): r for r in other}
    found = [row for row in one if row["source"] != "network"]
    assert len(found) > 10
    for row in found:
        there = scores[row["query_name"], row["target_name"], row["domain"]]
        assert there["score"] == row["score"]
        assert float(there["evalue"]) == pytest.approx(1000 * float(row["evalue"]), rel=0.1)


def test_no_row_where_nothing_is_found(light_model, tmp_path, here):
    (tmp_path / "q.fa").write_text(">q\n" + "X" * 50 + "\n")
    assert here("-E", 1e-20, "--domtblout", tmp_path / "d", light_model, tmp_path / "q.fa") == []
    assert (tmp_path / "d").read_text().endswith("# [ok]\n")


# Faults


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{model}", "none.fa"], "none.fa: no such file or directory"),
        (["none", "{queries}"], "none: no such"),
        (["{folder}", "{queries}"], "not a model directory"),
        (["--strict-empty", "{model}", "empty.fa"], "empty.fa: empty file"),
        (["--network", "esm", "{model}", "{queries}"], "has no esm network"),
        (["-o", "no/such/dir", "{model}", "{queries}"], "no/such/dir"),
    ],
)
def test_faults_are_told_in_one_line(light_model, queries, tmp_path, arguments, message):
    (tmp_path / "empty.fa").touch()
    (tmp_path / "folder").mkdir()
    words = [a.format(model=light_model, queries=queries, folder=tmp_path / "folder") for a in arguments]
    assert message in refused(scan(*words, check=False, cwd=tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-E", "1", "-T", "2", "{model}", "{queries}"],
        ["-E", "x", "{model}", "{queries}"],
        ["--fast", "--sensitive", "{model}", "{queries}"],
        ["--cut_ga", "--cut_tc", "{model}", "{queries}"],
        ["--network", "large", "{model}", "{queries}"],
        ["--cpu", "-1", "{model}", "{queries}"],
    ],
)
def test_wrong_use_is_status_2(light_model, queries, capfd, arguments):
    words = [a.format(model=light_model, queries=queries) for a in arguments]
    assert run(command, words) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "(see pfamnet-scan --help)" in err


def test_what_came_before_a_fault_is_printed(light_model, tmp_path):
    (tmp_path / "q.fa").write_text(fasta(QUERIES[:3]) + ">bad\nACD3EF\n" + fasta(QUERIES[4:]))
    done = scan(*HYBRID, "--domtblout", tmp_path / "d", light_model, tmp_path / "q.fa", check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "q.fa: record 4 'bad': illegal character '3' at position 4" in done.stderr
    assert {line.split("\t")[3] for line in done.stdout.splitlines() if line[0] != "#"} == {"q0", "q1", "q2"}
    assert "[ok]" not in (tmp_path / "d").read_text()


def test_a_device_that_is_not_there_is_refused(esm_model, queries):
    message = refused(scan("--network", "esm", "--device", "cuda:77", esm_model, queries, check=False))
    assert "device 'cuda:77' is not available" in message


# Start-up


HEAVY = {"torch", "transformers", "pyhmmer", "onnxruntime", "onnx", "numpy", "safetensors", "tqdm"}


def loaded(name, *arguments):
    """Heavy modules in memory when a program of the package has ended."""
    code = (
        f"import sys, json\nfrom pfamnet.cli.{name} import {name}\nfrom pfamnet.cli.common import run\n"
        f"status = run({name}, sys.argv[1:])\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return HEAVY & set(modules)


@pytest.mark.parametrize("name", ["scan", "build"])
@pytest.mark.parametrize("option", ["--version", "--help", "-h"])
def test_version_and_help_load_nothing_large(name, option):
    assert loaded(name, option) == set()


def test_a_scan_with_the_light_network_does_without_torch(light_model, queries):
    assert loaded("scan", *HYBRID, light_model, queries) == {"numpy", "onnxruntime", "pyhmmer"}


def test_a_scan_of_every_profile_does_without_a_runtime(light_model, queries):
    assert loaded("scan", light_model, queries) == {"numpy", "pyhmmer"}


def test_version_is_one_line_and_quick():
    """0.3 s of a quiet machine's time; here the processor's, as others may want it too."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert scan("--version").stdout.startswith("pfamnet ")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.3


@pytest.mark.parametrize("name", ["pfamnet-scan", "pfamnet-build"])
def test_help_has_groups_and_names_every_option(name):
    from conftest import run as run_program

    text = run_program(name, "--help").stdout
    assert "Basic options" in text and "Other expert options" in text and "--version" in text
    assert text.startswith(f"Usage: {name} ")
