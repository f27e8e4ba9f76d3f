"""A database of thousands of families from complete proteins: clusters, their profiles, and held-out members.

PROTEINS is a directory with train.fa.gz, dev.fa.gz, test.fa.gz, rest.fa.gz and rest_train.txt.gz (names in
rest.fa.gz that may be trained on). mmseqs clusters all proteins at 80 % identity into groups, and these into
families. Some groups of each family are held out: those with a protein of dev or test always, the others by
the hash of the name. One protein of each other group is a row of the family's profile; all are if these are
too few.

    python benchmarks/swissprot_families.py --proteins PROTEINS --pfam profiles.h3m OUT

If it is interrupted, the same command continues. OUT gets:

members.tsv     family, protein, start, end (1-based, inclusive), fold (train or held), row: 1 if the
                profile is made from it, else 0 (held out, or a near-duplicate of a row)
proteins.fa.gz  what may be trained on: train, those of rest_train.txt.gz, and rows; no held-out group
held.fa.gz      the held-out members
new.h3m         the profiles of the families, with gathering cutoffs
all.h3m         those of --pfam, followed by the new ones
"""

import gzip
import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from pfamnet.build.gathering import set_gathering
from pfamnet.build.hmms import ALIGNERS, build_profiles
from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Threads, Work
from pfamnet.families import Family
from pfamnet.io.fasta import read_fasta
from pfamnet.io.replacing import replacing
from pfamnet.profiles.files import read_hmms, write_profiles
from pfamnet.trainset.holdout import draw_number
from pfamnet.trainset.trainset import Fold, TrainSet

SETS = ("dev", "test", "train", "rest")
NEAR_DUPLICATE = 0.8  # identity within a group
COVERAGE = 0.8  # of both sequences
LEAST, LEAST_GROUPS, LEAST_ROWS = 5, 3, 4  # proteins, groups and rows of a family
HELD_OUT = 5  # one group in so many is held out, at least one


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--proteins", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pfam", required=True, type=click.Path(exists=True, dir_okay=False), help="profiles")
@click.option("--identity", default=0.5, show_default=True, help="of a family's groups")
@click.option("--aligner", type=click.Choice(ALIGNERS), default="famsa", show_default=True)
@click.option("--cpu", default=2, show_default=True)
@click.option("--seed", default=42, show_default=True)
def main(out, proteins, pfam, identity, aligner, cpu, seed):
    """Make the database OUT."""
    work = Work(out / f"work.{identity}.{aligner}.{seed}", BuildOptions(()), resume=True)
    work.folder.mkdir(parents=True, exist_ok=True)
    records = {name: {r.name: r.sequence for r in read_fasta(proteins / f"{name}.fa.gz")} for name in SETS}
    sequences = {name: text for fold in records.values() for name, text in fold.items()}
    with gzip.open(proteins / "rest_train.txt.gz", "rt") as file:
        trainable = records["train"].keys() | set(file.read().split())
    tested = records["dev"].keys() | records["test"].keys()

    near = cluster("linclust", sequences, NEAR_DUPLICATE, work, cpu)
    groups = {head: as_group(names, tested, trainable) for head, names in near.items()}
    clusters = cluster("cluster", {head: sequences[head] for head in groups}, identity, work, cpu)
    families = [[groups[head] for head in heads] for heads in clusters.values()]
    families = [family for groups in families if (family := choose_folds(groups, seed))]
    families.sort(key=lambda family: (-len(family.rows), family.rows[0]))
    write_members(out / "members.tsv", families, sequences, trainable)
    held = [group.protein for family in families for group in family.held]
    rows = {name for family in families for name in family.rows}
    kept_back = {name for family in families for group in family.held for name in group.names}
    write_fasta(out / "proteins.fa.gz", (trainable | rows) - kept_back, sequences)
    write_fasta(out / "held.fa.gz", held, sequences)
    click.echo(f"{len(families)} families, {len(rows)} rows, {len(held)} held-out members: tables written")

    trainset = as_trainset(families, sequences)
    hmms = build_profiles(trainset, aligner, work, Threads(cpu, progress=True))
    set_gathering(trainset, hmms, seed, work, Threads(cpu, progress=True))
    for name, profiles in ("new.h3m", hmms), ("all.h3m", chain(read_hmms(pfam), hmms)):
        with replacing(out / name) as partial:
            write_profiles(partial, profiles)
    click.echo("profiles written")


class Group(NamedTuple):
    """Near-duplicates: the one that counts, all names, and whether one is of dev or test."""

    protein: str
    names: tuple[str, ...]
    tested: bool


class SplitFamily(NamedTuple):
    """The proteins that its profile is made from, and its groups."""

    rows: list[str]
    train: list[Group]
    held: list[Group]


def cluster(method: str, sequences: Mapping[str, str], identity: float, work: Work, cpu: int) -> dict:
    """Cluster sequences by mmseqs' easy-linclust or easy-cluster: {representative: names}."""

    def make() -> str:
        names, result = work / f"{method}.fa", work / method
        names.write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
        limits = ["--min-seq-id", str(identity), "-c", str(COVERAGE), "--threads", str(cpu)]
        command = ["mmseqs", f"easy-{method}", names, result, work / f"{method}.tmp", *limits]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        return Path(f"{result}_cluster.tsv").read_text()

    file = f"{method}.{identity}.tsv"
    text = work.step(file, make, Path.read_text, lambda text, path: path.write_text(text))
    clusters = defaultdict(list)
    for line in text.splitlines():
        representative, name = line.split("\t")
        clusters[representative].append(name)
    return clusters


def as_group(names: Sequence[str], tested: Collection[str], trainable: Collection[str]) -> Group:
    """A group, for which a protein of dev or test counts, or else one that may be trained on, or the first.

    >>> as_group(["a", "b", "c"], tested={"c"}, trainable={"b"})
    Group(protein='c', names=('a', 'b', 'c'), tested=True)
    >>> as_group(["a", "b"], tested={"c"}, trainable={"b"}).protein
    'b'
    """
    best = min(names, key=lambda name: (name not in tested, name not in trainable))
    return Group(best, tuple(names), best in tested)


def choose_folds(groups: Iterable[Group], seed: int) -> SplitFamily | None:
    """Hold out groups of a family; None if it is too small."""
    groups = list(groups)
    few = len(groups) < LEAST  # then the smallest groups are held out: rows must remain
    key = lambda group: (not group.tested, few and len(group.names), draw_number(seed, group.protein))
    order, tested = sorted(groups, key=key), sum(group.tested for group in groups)
    count = max(1, len(order) // HELD_OUT, tested)
    train, held = order[count:], order[:count]
    rows = [group.protein for group in train]
    if len(rows) < LEAST_ROWS:
        rows = [name for group in train for name in group.names]
    large = sum(len(group.names) for group in groups) >= LEAST and len(groups) >= LEAST_GROUPS
    return SplitFamily(rows, train, held) if large and len(rows) >= LEAST_ROWS else None


def write_members(path: Path, families: Sequence[SplitFamily], sequences, trainable: Collection[str]) -> None:
    with replacing(path) as partial, open(partial, "w") as file:
        print("family", "protein", "start", "end", "fold", "row", sep="\t", file=file)
        for number, family in enumerate(families, 1):
            for fold, name, row in member_rows(family, trainable):
                print(family_name(number), name, 1, len(sequences[name]), fold, row, sep="\t", file=file)


def member_rows(family: SplitFamily, trainable: Collection[str]) -> Iterable[tuple[str, str, int]]:
    """(fold, protein, row) of the members; near-duplicates of rows if they may be trained on."""
    rows = set(family.rows)
    for name in (name for group in family.train for name in group.names):
        if name in rows or name in trainable:
            yield "train", name, int(name in rows)
    yield from (("held", group.protein, 0) for group in family.held)


def family_name(number: int) -> str:
    return f"SP{number:05}"


def write_fasta(path: Path, names: Iterable[str], sequences: Mapping[str, str]) -> None:
    with replacing(path) as partial, gzip.open(partial, "wt", compresslevel=6) as file:
        file.writelines(f">{name}\n{sequences[name]}\n" for name in sorted(names))


def as_trainset(families: Sequence[SplitFamily], sequences: Mapping[str, str]) -> TrainSet:
    """The rows and the held-out members of the families as the folds of a train set."""
    described, train, dev = [], [], []
    for index, family in enumerate(families):
        name = family_name(index + 1)
        described.append(Family(f"{name}.1", name, description=f"Proteins like {family.rows[0]}"))
        train += [(protein, index) for protein in family.rows]
        dev += [(group.protein, index) for group in family.held]
    return TrainSet(described, as_fold(train, sequences), as_fold(dev, sequences))


def as_fold(members: Sequence[tuple[str, int]], sequences: Mapping[str, str]) -> Fold:
    names, texts = [name for name, _ in members], [sequences[name] for name, _ in members]
    domains = [(number, 0, len(texts[number]), index) for number, (_, index) in enumerate(members)]
    return Fold(texts, names, np.array(domains, np.int32), np.ones(len(texts), bool))


if __name__ == "__main__":
    main()
