"""Families and proteins made up for tests: mutated copies of random ancestors.

All of it depends on the seeds alone, so that every run of the tests sees the
same sequences, and nothing of it need be kept in the repository.
"""

from pathlib import Path

import numpy as np

RESIDUES = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
# about the composition of Swiss-Prot
SHARES = np.array(
    [8.3, 1.4, 5.5, 6.7, 3.9, 7.1, 2.3, 5.9, 5.8, 9.7, 2.4, 4.1, 4.7, 3.9, 5.5, 6.6, 5.3, 6.9, 1.1, 2.9]
)
SHARES = SHARES / SHARES.sum()
FAMILIES = 8
GA = 22.0


def write(path, text):
    """Write a text, in a directory that is made; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def random_sequence(rng, length, shares=SHARES):
    return "".join(rng.choice(RESIDUES, length, p=shares))


def accession(family):
    return f"PF9{family:04}.1"


def ancestor(family):
    """The sequence that all members of a family descend from, 60 to 137 residues.

    Each family has residues that it prefers, so that a network learns to tell
    them apart in a few steps.
    """
    rng = np.random.default_rng([1, family])
    shares = SHARES.copy()
    shares[rng.permutation(20)[:4]] *= 4
    return random_sequence(rng, 60 + 11 * family, shares / shares.sum())


def member(family, rng, changed=0.35):
    """An aligned row of a family: substitutions, and now and then a deletion."""
    row = np.array(list(ancestor(family)))
    swap = rng.random(len(row)) < changed
    row[swap] = rng.choice(RESIDUES, swap.sum(), p=SHARES)
    if rng.random() < 0.5:
        start = int(rng.integers(5, len(row) - 10))
        row[start : start + int(rng.integers(1, 5))] = "-"
    return "".join(row)


def domain(family, rng, changed=0.35):
    """The residues of a new member of a family."""
    return member(family, rng, changed).replace("-", "")


def protein(families, rng, flank=40):
    """A protein with one domain of each family, and where they lie (start, end, family)."""
    parts, places = [random_sequence(rng, flank)], []
    for family in families:
        residues, start = domain(family, rng), sum(map(len, parts))
        places.append((start, start + len(residues), family))
        parts += [residues, random_sequence(rng, flank)]
    return "".join(parts), places


def emission(families):
    """What profiles of single domains emit."""
    from pyhmmer.easel import Alphabet, TextSequence
    from pyhmmer.plan7 import Background, Builder

    from pfamnet.training.emission import Emission

    alphabet, rng = Alphabet.amino(), np.random.default_rng(0)
    builder, background = Builder(alphabet, seed=1), Background(alphabet)
    sequences = [TextSequence(name=f"f{i}", sequence=domain(i, rng)) for i in range(families)]
    return Emission.of([builder.build(s.digitize(alphabet), background)[0] for s in sequences])


def fasta(records):
    """Records (header, sequence) as FASTA of 60 columns."""
    lines = []
    for header, sequence in records:
        lines.append(f">{header}")
        lines += [sequence[i : i + 60] for i in range(0, len(sequence), 60)]
    return "\n".join(lines) + "\n"


def write_stockholm(path, families=FAMILIES, rows=24, ga=GA, seed=2):
    """Aligned rows with GA cutoffs; the first two families are of one clan."""
    rng, lines = np.random.default_rng(seed), []
    for family in range(families):
        lines += [
            "# STOCKHOLM 1.0",
            f"#=GF ID   Made_{family}",
            f"#=GF AC   {accession(family)}",
            f"#=GF DE   Made-up family {family}",
        ]
        lines += [f"#=GF GA   {ga:.2f} {ga:.2f};"] if ga else []
        lines += ["#=GF CL   CL9000"] if family < 2 else []
        lines += [f"s{family}_{i}/1-9  {member(family, rng)}" for i in range(rows)]
        lines.append("//")
    Path(path).write_text("\n".join(lines) + "\n")


def write_labelled(path, families=FAMILIES, rows=16, seed=3):
    """Isolated domains, not aligned, as FASTA whose descriptions begin with the accession."""
    rng = np.random.default_rng(seed)
    Path(path).write_text(
        fasta(
            (f"d{family}_{i} {accession(family)}", domain(family, rng))
            for family in range(families)
            for i in range(rows)
        )
    )


def write_proteins(path, table, families=FAMILIES, count=40, seed=4):
    """Full-length proteins of one or two domains, and the table of these."""
    rng, records = np.random.default_rng(seed), []
    lines = ["protein\tstart\tend\taccession\tname"]
    for i in range(count):
        chosen = rng.choice(families, min(1 + i % 2, families), replace=False)
        sequence, places = protein(chosen, rng)
        records.append((f"p{i}", sequence))
        lines += [
            f"p{i}\t{start + 1}\t{end}\t{accession(family)}\tMade_{family}" for start, end, family in places
        ]
    Path(path).write_text(fasta(records))
    Path(table).write_text("\n".join(lines) + "\n")


def queries(count=12, seed=5, families=FAMILIES):
    """Proteins that no model has seen: (name, sequence, places), every fourth without a domain."""
    rng, made = np.random.default_rng(seed), []
    for i in range(count):
        chosen = [] if i % 4 == 3 else rng.choice(families, 1 + i % 3, replace=False)
        made.append((f"q{i}", *protein(chosen, rng, 30 + 7 * i)))
    return made
