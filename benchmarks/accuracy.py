"""How accurate is `pfamnet-scan --top` on the Pfam seed split, beside HMMER?

MODEL is what pfamnet-build made of the training fold of SPLIT, a directory in the layout of the Pfam
seed split (random, clustered, or made by reduced_split.py). Every row of the test fold is one domain.

    python benchmarks/accuracy.py --name random --model MODEL --data SPLIT --work DIR --out FILE

Methods, each of which predicts one family per row:

- complete commands: `pfamnet-scan --top`, with --sensitive, and with --mode network; with --fewer also
  `--top` of models of the same fold that have fewer candidates (`pfamnet-build --candidates N`);
- every profile by pyhmmer: one pass (hmmsearch's default filters, E <= 10); two passes (rows without a
  hit are searched again without filters);
- phmmer against the training rows, on some of the rows (--phmmer-rows).

If the networks have learnt from more than the training fold, --seen names these proteins: the errors in
test rows that no such protein contains are counted apart.

A row without a prediction is an error. Decoys are test rows, shuffled or reversed. What is finished is
kept in --work, so that an interrupted run continues.
"""

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import accuracy_measures as measures
import click
import numpy as np
import pandas
from accuracy_measures import Answer
from common import machine, markdown, percent, program, read_model, run, save, share, write_fasta
from reduced_split import read

from pfamnet import __version__
from pfamnet.families import accession_key, read_families
from pfamnet.io.sequences import read_sequences
from pfamnet.records import Record

ONE, TWO, TOP = "profiles, one pass", "profiles, two passes", "pfamnet-scan --top"
KINDS = ("shuffled", "reversed")
UNKNOWN = -2  # the label of a family that the model does not have


@click.command()
@click.option("--name", required=True, help="of the split")
@click.option("--model", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--fewer", multiple=True, type=click.Path(exists=True, file_okay=False), help="more models")
@click.option("--families", type=click.Path(exists=True, dir_okay=False), help="table of clans")
@click.option("--seen", multiple=True, type=click.Path(exists=True, dir_okay=False), help="see above")
@click.option("--work", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--decoys", default=1000, show_default=True, help="decoys of each kind")
@click.option("--phmmer-rows", default=200, show_default=True, help="test rows for phmmer; 0: none")
@click.option("--first", type=int, help="take N test rows at random, to try it out")
@click.option("--cpu", default=1, show_default=True, help="threads of each program")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(name, model, data, fewer, families, seen, work, decoys, phmmer_rows, first, cpu, out):
    """Errors, calls on decoys and E-values of pfamnet-scan and of profiles."""
    first_model, *others = map(read_model, [model, *fewer])
    for other in others:
        if len(other.families) != len(first_model.families):
            raise click.UsageError(f"{other.path}: has other families than {model}")
    bench = Bench(first_model, others, data, families, seen, work, cpu)
    result = {
        "benchmark": "accuracy",
        "split": name,
        "machine": machine(cpu),
        "model": bench.model.about | {"candidates": candidates(bench.model)},
        **bench.run(first, decoys, phmmer_rows),
    }
    save(result | {"tables": tables(result)}, out)


def candidates(model) -> int:
    """How many candidates per 1,024 residues the default sensitivity tries, on average."""
    return model.description["networks"]["light"]["sensitivities"]["default"]["candidates"]


class Bench:
    """One split: its model, its rows, and what was computed of them."""

    def __init__(self, model, fewer, data, families, seen, work, cpu):
        self.model, self.data, self.seen, self.cpu = model, data, seen, cpu
        self.folder = work / f"{__version__}.{model.about['digest']}"
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = [accession_key(row["accession"]) for row in model.families]
        self.index = {key: place for place, key in enumerate(keys)}
        given = {family.key: family.clan for family in read_families(families)} if families else {}
        self.clans = [row["clan"] or given.get(key) or key for row, key in zip(model.families, keys)]
        self.profiles = list(model.profiles())
        self.train, self.train_labels = self.read("train")
        networks = [["--mode", "network", "--network", name] for name in model.description["networks"]]
        # method -> (model, options)
        self.tops = {TOP: (model, [])} | {
            " ".join([TOP, *options]): (model, options) for options in (["--sensitive"], *networks)
        }
        self.tops |= {f"{TOP}, at most {candidates(few)} candidates": (few, []) for few in fewer}
        self.scans = {" ".join(["pfamnet-scan", *options]): options for options in ([], *networks)}

    def read(self, fold: str) -> tuple[list[str], np.ndarray]:
        """The sequences of a fold and the places of their families in the model."""
        rows = read(self.data / fold)
        return rows.sequence.tolist(), rows.key.map(self.index).fillna(UNKNOWN).to_numpy(int)

    def run(self, first, decoys, phmmer_rows) -> dict:
        sequences, labels = self.read("test")
        known = np.flatnonzero(labels >= 0)
        if first:
            known = np.sort(np.random.default_rng(0).permutation(known)[:first])
        sequences, labels = [sequences[i] for i in known], labels[known]
        answers = self.answers(sequences)
        fakes = {kind: made_of(sequences, kind, decoys) for kind in KINDS}
        on_fakes = [self.answers(fakes[kind]) for kind in KINDS]
        surest = {name: np.concatenate([made[name].sure for made in on_fakes]) for name in answers}
        bins = self.bins(sequences, labels)
        result = {
            "rows": {"train": len(self.train), "test": len(labels)},
            "families_tested": len(np.unique(labels)),
            "decoys": {kind: len(rows) for kind, rows in fakes.items()},
            "errors": {n: measures.errors(a, labels, self.clans, bins) for n, a in answers.items()},
            "mcnemar": self.mcnemar(answers, labels),
            "curves": {n: measures.curve(a, labels, surest[n]) for n, a in answers.items()},
            "evalues": self.evalues(fakes),
        }
        if phmmer_rows:
            result["phmmer"] = self.phmmer(sequences, labels, answers, phmmer_rows)
        if self.seen:
            proteins = "\n".join(record.sequence for path in self.seen for record in read_sequences(path))
            unseen = np.array([place for place, row in enumerate(sequences) if row not in proteins])
            result["unseen"] = wrong_in(unseen, answers, labels)
        if (self.data / "reduced.json").exists():
            result |= self.reduced(answers, labels)
        return result

    # -- what is computed once

    def kept(self, name: list[str], make: Callable[[Path], object]) -> pandas.DataFrame:
        """A table that `make` writes, unless an earlier run has."""
        path = self.folder / f"{hashlib.sha256(json.dumps(name).encode()).hexdigest()[:16]}.tsv"
        if not path.exists():
            make(path.with_suffix(".partial"))
            os.rename(path.with_suffix(".partial"), path)
        return pandas.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, na_filter=False)

    def scan(self, model, options: list[str], sequences: list[str]) -> pandas.DataFrame:
        """What pfamnet-scan reports: `place` (of the sequence), `family` (its index) and `evalue`."""
        query = write_fasta(
            [Record(str(i), "", text, i) for i, text in enumerate(sequences)], self.folder / "query.fa"
        )
        command = [*program("pfamnet-scan"), *options, "--header", "--cpu", self.cpu, model.path, query, "-o"]
        rows = self.kept([model.about["digest"], *options, *sequences], lambda path: run([*command, path]))
        family = rows.target_accession.map(accession_key).map(self.index)
        rows = rows.assign(place=rows.query_name.astype(int), family=family.astype(int))
        return rows[["place", "family", "evalue"]].drop_duplicates(["place", "family"])

    def found(self, sequences: list[str]) -> dict[str, pandas.DataFrame]:
        """What every profile finds in one pass, and in two."""
        queries = measures.digital(sequences)
        write = lambda rows: lambda path: rows().to_csv(path, sep="\t", index=False)
        search = lambda: measures.search(self.profiles, queries, self.cpu, measures.ONE_PASS)
        one = self.kept([ONE, *sequences], write(search))
        again = lambda: measures.two_passes(self.profiles, queries, one, self.cpu)
        return {ONE: one, TWO: self.kept([TWO, *sequences], write(again))}

    def answers(self, sequences: list[str]) -> dict[str, Answer]:
        """Each method's prediction for each sequence."""
        tops = {n: self.scan(model, ["--top", *flags], sequences) for n, (model, flags) in self.tops.items()}
        found = tops | self.found(sequences)
        return {name: measures.answer_of(rows, len(sequences)) for name, rows in found.items()}

    def bins(self, sequences, labels) -> dict:
        """{field: (values, edges)} of the test rows."""
        rows = np.bincount(self.train_labels[self.train_labels >= 0], minlength=len(self.clans))
        train = self.train, self.train_labels
        identity = measures.nearest_identity(self.profiles, sequences, labels, *train)
        return {
            "by_rows": (rows[labels].tolist(), measures.ROWS),
            "by_identity": (np.floor(identity).tolist(), measures.IDENTITY),
            "by_length": ([len(sequence) for sequence in sequences], measures.LENGTHS),
        }

    # -- parts of the result

    def mcnemar(self, answers, labels) -> dict:
        others = {name: answer for name, answer in answers.items() if name != TWO}
        return {name: measures.against(answer, answers[TWO], labels) for name, answer in others.items()}

    def calls(self, sequences) -> dict[str, pandas.DataFrame]:
        """All that each method reports."""
        scans = {name: self.scan(self.model, flags, sequences) for name, flags in self.scans.items()}
        return scans | self.found(sequences)

    def evalues(self, fakes) -> dict:
        """Calls on decoys, by method and kind, at E-values from 1e-5 to 10."""
        table = {}
        for kind, sequences in fakes.items():
            for name, calls in self.calls(sequences).items():
                table.setdefault(name, {})[kind] = measures.observed(calls.evalue, len(sequences))
        return table

    def phmmer(self, sequences, labels, answers, count) -> dict:
        """Errors of phmmer on some test rows, and of the other methods on the same."""
        chosen = np.sort(np.random.default_rng(3).permutation(len(labels))[:count])
        queries = [sequences[i] for i in chosen]
        found = measures.by_phmmer(queries, self.train, self.train_labels, self.cpu)
        own = share(int((found.picks != labels[chosen]).sum()), len(chosen))
        return {"phmmer, training rows": own} | wrong_in(chosen, answers, labels)

    def reduced(self, answers, labels) -> dict:
        """Families that were left out, and families that were cut down to a few rows."""
        few = json.loads((self.data / "reduced.json").read_text())["few"]
        sequences, _ = self.read("left_out")
        called = {
            name: share(calls[calls.evalue <= 1e-3].place.nunique(), len(sequences))
            for name, calls in self.calls(sequences).items()
        }
        places = np.flatnonzero(np.isin(labels, [self.index[key] for key in few if key in self.index]))
        return {"left_out": called, "few": wrong_in(places, answers, labels)}


def wrong_in(places: np.ndarray, answers: dict[str, Answer], labels: np.ndarray) -> dict[str, dict]:
    """The errors of each method in some of the rows."""
    right = labels[places]
    return {n: share(int((a.picks[places] != right).sum()), len(places)) for n, a in answers.items()}


def made_of(sequences: list[str], kind: str, count: int) -> list[str]:
    """Decoys: some of the sequences, shuffled or reversed."""
    rng = np.random.default_rng(KINDS.index(kind))
    chosen = [sequences[i] for i in rng.permutation(len(sequences))[:count]]
    if kind == "reversed":
        return [sequence[::-1] for sequence in chosen]
    return ["".join(rng.permutation(list(sequence))) for sequence in chosen]


# -- tables


def tables(result: dict) -> dict[str, str]:
    """All tables of a result; `report.py` joins those of several splits."""
    split, errors = result["split"], result["errors"]
    p = lambda tests, name: f"{tests[name]['p']:.2g}" if name in tests else "–"
    header = [
        "split",
        "method",
        "errors",
        "% errors (95 % interval)",
        "% family or clan",
        "% mean of families",
    ]
    rows = [
        [
            split,
            name,
            row["family"]["count"],
            percent(row["family"]),
            percent(row["family_or_clan"], False),
            f"{row['mean_of_families_percent']:.2f}",
            f"{row['mean_of_clans_percent']:.2f}",
            p(result["mcnemar"], name),
        ]
        for name, row in errors.items()
    ]
    made = {"accuracy": markdown([*header, "% mean of clans", "P against two passes"], rows, result)}
    counts = [errors[name]["family"]["count"] for name in (TWO, TOP)]
    made["accuracy-short"] = markdown(
        ["split", "test rows", "errors of two passes, every profile", f"of `{TOP}`", "P"],
        [[split, f"{result['rows']['test']:,}", *counts, p(result["mcnemar"], TOP)]],
    )
    for field in ("rows", "identity", "length"):
        bins = errors[TWO][f"by_{field}"]
        rows = [[split, "*test rows*", *(bin["of"] or "–" for bin in bins.values())]]
        for name, row in errors.items():
            rows.append([split, name, *(percent(bin, False) for bin in row[f"by_{field}"].values())])
        made[f"accuracy-by-{field}"] = markdown(["split", "% errors", *bins], rows, result)
    made["accuracy-curves"] = markdown(
        ["split", "% found", *(f"{1000 * calls:g}" for calls, _ in result["curves"][TWO])],
        [[split, name, *(f"{found:.2f}" for _, found in row)] for name, row in result["curves"].items()],
        result,
    )
    made["accuracy-evalues"] = markdown(
        ["split", "calls per decoy", "decoys", "number", *(f"E {e:g}" for e in measures.NOMINAL)],
        [
            [split, name, kind, result["decoys"][kind], *(f"{cell['observed']:.4g}" for cell in row)]
            for name, kinds in result["evalues"].items()
            for kind, row in kinds.items()
        ],
        result,
    )
    counted = {"phmmer": "errors", "left_out": "called at E <= 0.001", "few": "errors"}
    counted["unseen"] = "errors in rows of no training protein"
    for part in filter(result.get, counted):
        rows = [[split, name, row["count"], row["of"], percent(row)] for name, row in result[part].items()]
        header = ["split", "method", counted[part], "of", "% (95 % interval)"]
        made[f"accuracy-{part.replace('_', '-')}"] = markdown(header, rows, result)
    return made


if __name__ == "__main__":
    main()
