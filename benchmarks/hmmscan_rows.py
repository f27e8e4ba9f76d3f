"""The rows of pfamnet-scan against those of the real hmmscan, field by field.

Takes some hundred profiles (repeats, hits near the gathering threshold, and any)
and proteins (many domains, hits near the threshold, any), runs both programs on
them, by default and with --cut_ga, and counts rows, fields and differences of
the three tables. With --model, the profiles are the model's, and its normal
(hybrid) mode is compared too: every hit that both report, by default and with
--domZ given (without it c-Evalues count the families reported for a query).

    python benchmarks/hmmscan_rows.py --hmm profiles.h3m --domains domains.tsv.gz \\
        --proteins dev.fa.gz [--model DIR] --out FILE

hmmscan 3.4 comes with the PyPI package hmmer. --domains is a table of domains
(protein, start, end, accession, id, ... bits) by which to choose.
"""

import gzip
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import click
from common import describe_model, machine, save

from pfamnet.families import accession_key
from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.profiles.files import read_hmms

KINDS = {"domtblout": 22, "tblout": 18, "pfamtblout": None}  # fields before the description
# What tells a row: query, family, and the coordinates of a domain.
KEYS = {"domtblout": (3, 0, *range(15, 21)), "tblout": (2, 0)}
SETS = {"default": [], "cut_ga": ["--cut_ga"]}
HYBRID_SETS = {"default": [], "domZ": ["--domZ", "100"]}


@click.command()
@click.option("--hmm", required=True, type=click.Path(exists=True))
@click.option("--proteins", required=True, type=click.Path(exists=True))
@click.option("--domains", required=True, type=click.Path(exists=True))
@click.option("--families", default=400, show_default=True, help="Profiles to take")
@click.option("--count", default=700, show_default=True, help="Proteins to take")
@click.option("--model", type=click.Path(exists=True), help="Compare its hybrid mode too")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the counts")
def main(hmm, proteins, domains, families, count, model, seed, out):
    """Count rows, fields and differences."""
    opened = open_model(model) if model else None
    library = opened.store.path if model else hmm
    hmms = {accession_key(one.accession): one for one in read_hmms(str(library))}
    rows = read_domains(domains, hmms)
    rng = random.Random(seed)
    chosen = list(hmms) if model else choose(rows, hmms, families, rng, lambda row: row[1])
    names = choose(rows, [record.name for record in read_fasta(proteins)], count, rng, lambda row: row[0])
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        write_inputs(work, [hmms[key] for key in chosen], proteins, set(names))
        result = {
            "benchmark": "hmmscan_rows",
            "machine": machine(1),
            "model": describe_model(opened) if model else None,
            "profiles": len(chosen),
            "proteins": len(names),
            "profiles mode": {},
        }
        for name, options in SETS.items():
            run_hmmscan(work, name, options)
            run_pfamnet(work, name, ["--mode", "profiles", *options, "db.hmm"])
            result["profiles mode"][name] = {kind: compare(work, name, kind) for kind in KINDS}
        if model:
            result["hybrid mode"] = {}
            for name, options in HYBRID_SETS.items():
                if name not in SETS:
                    run_hmmscan(work, name, options)
                run_pfamnet(work, name, [*options, str(Path(model).absolute())])
                result["hybrid mode"][name] = {kind: compare_hybrid(work, name, kind) for kind in KEYS}
    save(result, out)


def read_domains(path, hmms):
    """(protein, family, bits above the gathering threshold) of each domain."""
    rows = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            key = accession_key(fields[3])
            if key in hmms and fields[1].isdigit():
                rows.append((fields[0], key, float(fields[10]) - hmms[key].cutoffs.gathering2))
    return rows


def choose(rows, known, count, rng, key):
    """A quarter with the most domains, a quarter nearest the threshold, half any."""
    known = set(known)
    rows = [row for row in rows if key(row) in known]
    per = Counter(map(key, rows))
    pairs = defaultdict(set)
    for row in rows:
        pairs[key(row)].add(row[:2])
    many = sorted(per, key=lambda one: (-per[one] / len(pairs[one]) if per[one] > 4 else 0, -per[one], one))
    near = list(dict.fromkeys(key(row) for row in sorted(rows, key=lambda row: (row[2], row))))
    chosen = dict.fromkeys(many[: count // 4])
    for one in near:
        if len(chosen) >= count // 2:
            break
        chosen[one] = None
    rest = sorted(known - chosen.keys())
    return [*chosen, *rng.sample(rest, min(len(rest), count - len(chosen)))]


def write_inputs(work, hmms, proteins, names):
    with open(work / "db.hmm", "wb") as file:
        for hmm in hmms:
            hmm.write(file)
    subprocess.run(["hmmpress", "db.hmm"], cwd=work, check=True, stdout=subprocess.DEVNULL)
    with open(work / "x.fa", "w", errors="surrogateescape") as file:
        for record in read_fasta(proteins):
            if record.name in names:
                file.write(f">{record.name} {record.description}\n{record.sequence}\n")


def tables(side, name):
    return [word for kind in KINDS for word in (f"--{kind}", f"{side}.{name}.{kind}")]


def run_hmmscan(work, name, options):
    command = [
        "hmmscan",
        "--cpu",
        "0",
        "-o",
        "/dev/null",
        *tables("theirs", name),
        *options,
        "db.hmm",
        "x.fa",
    ]
    subprocess.run(command, cwd=work, check=True)


def run_pfamnet(work, name, arguments):
    program = shutil.which("pfamnet-scan", path=str(Path(sys.executable).parent)) or "pfamnet-scan"
    command = [program, "--cpu", "1", "-o", "/dev/null", *tables("ours", name), *arguments, "x.fa"]
    subprocess.run(command, cwd=work, check=True)


def body(path):
    """A table's lines up to its trailer, blanks and all."""
    text = path.read_bytes()
    return text[: text.rindex(b"#\n# Program:")].splitlines()


def compare(work, name, kind):
    """Bytes, rows and fields of one table of both programs."""
    ours, theirs = (body(work / f"{side}.{name}.{kind}") for side in ("ours", "theirs"))
    rows = [
        [line.split(None, KINDS[kind] or 12) for line in lines if line and line[:1] != b"#"]
        for lines in (ours, theirs)
    ]
    differing = sum(a != b for a, b in zip(*rows)) + abs(len(rows[0]) - len(rows[1]))
    fields = [(a, b) for pair in zip(*rows) for a, b in zip(*pair)]
    return {
        "rows": len(rows[1]),
        "fields": sum(map(len, rows[1])),
        "rows that differ": differing,
        "fields that differ": sum(a != b for a, b in fields),
        "lines identical with blanks and headers": ours == theirs,
    }


def compare_hybrid(work, name, kind):
    """A table of the hybrid mode: hits that both report, and what differs in them."""
    sides = []
    for side in ("theirs", "ours"):
        rows = [
            line.split(None, KINDS[kind]) for line in body(work / f"{side}.{name}.{kind}") if line[:1] != b"#"
        ]
        sides.append({tuple(row[i] for i in KEYS[kind]): row for row in rows})
    theirs, ours = sides
    both = [(theirs[key], ours[key]) for key in theirs if key in ours]
    numbers = Counter(i for a, b in both for i in range(len(a)) if a[i] != b[i])
    networks = sum(row[-1].startswith(b"[network]") for row in ours.values())
    return {
        "rows of hmmscan": len(theirs),
        "rows that both report": len(both),
        "fields compared": sum(len(a) for a, _ in both),
        "fields that differ, by column": {str(i + 1): n for i, n in sorted(numbers.items())},
        "rows of the network alone": networks,
        "other rows that hmmscan lacks": len(ours.keys() - theirs.keys()) - networks,
    }


if __name__ == "__main__":
    main()
