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
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import click
from common import machine, markdown, program, read_model, save, write_fasta
from pyhmmer.plan7 import HMMFile

from pfamnet.families import accession_key
from pfamnet.io.fasta import read_fasta

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
    opened = read_model(model) if model else None
    with HMMFile(hmm) as file:
        hmms = {accession_key(one.accession): one for one in (opened.profiles() if opened else file)}
    rows, rng = read_domains(domains, hmms), random.Random(seed)
    records = list(read_fasta(proteins))
    chosen = list(hmms) if model else choose(rows, hmms, families, rng, lambda row: row[1])
    names = set(choose(rows, [record.name for record in records], count, rng, lambda row: row[0]))
    result = {
        "benchmark": "hmmscan_rows",
        "machine": machine(1),
        "model": opened and opened.about,
        "profiles": len(chosen),
        "proteins": len(names),
        "profiles mode": {},
    }
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        with open(work / "db.hmm", "wb") as file:
            for key in chosen:
                hmms[key].write(file)
        subprocess.run(["hmmpress", "db.hmm"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        write_fasta([record for record in records if record.name in names], work / "x.fa")
        for name, options in SETS.items():
            run(work, ["hmmscan"], "theirs", name, [*options, "db.hmm"])
            run(work, program("pfamnet-scan"), "ours", name, ["--mode", "profiles", *options, "db.hmm"])
            result["profiles mode"][name] = {kind: compare(work, name, kind) for kind in KINDS}
        if model:
            result["hybrid mode"] = {}
            for name, options in HYBRID_SETS.items():
                if name not in SETS:
                    run(work, ["hmmscan"], "theirs", name, [*options, "db.hmm"])
                run(
                    work,
                    program("pfamnet-scan"),
                    "ours",
                    name,
                    ["--mode", "hybrid", *options, Path(model).absolute()],
                )
                result["hybrid mode"][name] = {kind: compare_hybrid(work, name, kind) for kind in KEYS}
    save(result | {"tables": tables(result)}, out)


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


def run(work, command, side, name, arguments):
    """Run one program on one core; its three tables lie in `work`."""
    tables = [word for kind in KINDS for word in (f"--{kind}", f"{side}.{name}.{kind}")]
    cores = ["--cpu", "0" if side == "theirs" else "1", "-o", "/dev/null"]
    subprocess.run([*command, *cores, *tables, *arguments, "x.fa"], cwd=work, check=True)


def body(path):
    """A table's lines up to its trailer, blanks and all."""
    text = path.read_bytes()
    return text[: text.rindex(b"#\n# Program:")].splitlines()


def split(lines, kind):
    """The fields of a table's rows; the description is one field."""
    return [line.split(None, KINDS[kind] or 12) for line in lines if line and line[:1] != b"#"]


def compare(work, name, kind):
    """Bytes, rows and fields of one table of both programs."""
    ours, theirs = (body(work / f"{side}.{name}.{kind}") for side in ("ours", "theirs"))
    rows = [split(lines, kind) for lines in (ours, theirs)]
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
    theirs, ours = (
        {tuple(row[i] for i in KEYS[kind]): row for row in split(body(work / f"{side}.{name}.{kind}"), kind)}
        for side in ("theirs", "ours")
    )
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


# -- tables


def tables(result: dict) -> dict[str, str]:
    """A table for each mode, of the counts as `compare` and `compare_hybrid` name them."""
    made, size = {}, f"{result['profiles']} profiles, {result['proteins']} proteins"
    for name, mode in (("hmmscan-rows", "profiles mode"), ("hmmscan-hybrid", "hybrid mode")):
        counts = {
            " ".join([kind, *(SETS | HYBRID_SETS)[options]]): table
            for options, kinds in result.get(mode, {}).items()
            for kind, table in kinds.items()
        }
        rows = [[size, kind, *map(cell, table.values())] for kind, table in counts.items()]
        if rows:
            made[name] = markdown(["", "table", *next(iter(counts.values()))], rows, result)
    return made


def cell(value: bool | int | dict) -> str:
    """A count as text; of a dictionary, how many fields differ in which columns.

    >>> cell(True), cell(1234), cell({"12": 3}), cell({})
    ('yes', '1,234', '3 in column 12', '0')
    """
    if isinstance(value, dict):
        return ", ".join(f"{count} in column {column}" for column, count in value.items()) or "0"
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:,}"


if __name__ == "__main__":
    main()
