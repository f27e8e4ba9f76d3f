"""Build a profile HMM of each family from its training sequences.

Aligned rows are used as they are. Sequences are aligned in rounds: the profile of
the family's medoid aligns them, the alignment gives a better profile, which aligns
them again. FAMSA can align them instead, as an extra.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from pyhmmer.easel import Alphabet, DigitalMSA, DigitalSequenceBlock, TextMSA, TextSequence
from pyhmmer.hmmer import hmmalign
from pyhmmer.plan7 import HMM, Background, Builder

from ..errors import PfamnetError
from ..families import Family
from ..profiles.files import read_hmms, write_profiles
from ..trainset.trainset import TrainSet
from .work import Threads, Work

ALIGNERS = ("hmmalign", "famsa")
# From three to five rounds held-out members gained half a bit on average, from five to eight a tenth.
ROUNDS = 5
KMER, COMPARED = 3, 400  # residues, and sequences, by which the medoid is found
MOST_IN_ROUND = 200  # sequences before the last round, evenly spaced: variety counts
MOST_SEQUENCES = 2000  # in any profile
ROWS_FRACTION = 0.9  # of the sequences: as many aligned rows make the profile alone, fewer start the rounds
SEED = 42  # HMMER's default: the same alignment always gives the same E-value parameters
ROUND_FITS = {"EmN": 20, "EvN": 20, "EfN": 20}  # random sequences for them, in a profile that only aligns
GAPS = str.maketrans("._~", "---")
NO_LETTER = re.compile("[^A-Z]")
AMINO = Alphabet.amino()


def build_profiles(trainset: TrainSet, aligner: str, work: Work, threads: Threads) -> list[HMM]:
    """Build the profiles of all families of a train set, in its order, as `build_profile` does.

    Its train fold gives the sequences, its alignments the rows.
    """
    sequences: list[list[str]] = [[] for _ in trainset.families]
    for number, start, end, index in trainset.train.domains.tolist():
        if index >= 0:  # -1 marks residues of families that were left out
            sequences[index].append(trainset.train.sequences[number][start:end])

    def build(index: int) -> HMM:
        rows = [row for _, row in trainset.alignments.get(index, ())]
        make = lambda: build_profile(trainset.families[index], sequences[index], rows, aligner)
        save = lambda hmm, path: write_profiles(path, [hmm])
        return work.step(f"profiles/{index}.h3m", make, lambda path: next(read_hmms(path)), save)

    # the longest jobs first, so that no thread is left with one at the end
    order = sorted(range(len(sequences)), key=lambda index: -sum(map(len, sequences[index])))
    with plain_command_line():
        built = dict(zip(order, threads.map("profiles", build, order)))
    return [built[index] for index in range(len(order))]


@contextmanager
def plain_command_line() -> Iterator[None]:
    """Meanwhile the command line is valid UTF-8: pyhmmer notes it in profiles, and fails on other text."""
    before, sys.argv = sys.argv, ["pfamnet-build"]
    try:
        yield
    finally:
        sys.argv = before


def build_profile(
    family: Family, sequences: Sequence[str] = (), rows: Sequence[str] = (), aligner: str = "hmmalign"
) -> HMM:
    """Build the profile of a family. The same arguments give the same bytes.

    Arguments:
        family: gives the profile its name, accession, description and cutoffs.
        sequences: unaligned, letters of any case; what is no letter counts as X.
        rows: aligned, gaps "-", ".", "_" or "~"; residues of a sequence may be missing.
        aligner: one of ALIGNERS.

    Raises:
        PfamnetError: if the family has no residues, rows differ in length, or pyfamsa is
            asked for and not installed.
    """
    if aligner not in ALIGNERS:
        raise PfamnetError(f"no aligner '{aligner}': choose from {', '.join(ALIGNERS)}")
    rows = clean_rows(family, rows)
    sequences = [text for text in map(clean, sequences) if text]
    if rows and len(rows) >= ROWS_FRACTION * len(sequences):
        hmm = from_rows(rows)
    elif not sequences:
        raise PfamnetError(f"family '{family.name}': no sequence with a residue")
    elif len(set(sequences)) == 1:
        hmm = from_rows(sequences[:1])
    elif aligner == "famsa":
        hmm = from_rows(famsa_rows(family, spread(sequences, MOST_SEQUENCES)))
    else:
        hmm = in_rounds(spread(sequences, MOST_SEQUENCES), rows)
    for field in ("name", "accession", "description"):
        setattr(hmm, field, getattr(family, field).encode("utf-8", "surrogateescape") or None)
    hmm.cutoffs.gathering, hmm.cutoffs.trusted, hmm.cutoffs.noise = family.ga, family.tc, family.nc
    hmm.creation_time = hmm.command_line = None  # they would change the bytes
    return hmm


def from_rows(rows: list[str], **fits: int) -> HMM:
    """The profile of aligned rows of one length; that of a single row comes from BLOSUM62."""
    if len(rows) == 1:
        (digital,) = block([rows[0].replace("-", "")])
        return Builder(AMINO, seed=SEED, **fits).build(digital, Background(AMINO))[0]
    named = [TextSequence(name=f"s{i}", sequence=row) for i, row in enumerate(rows)]
    return from_msa(TextMSA(name="rows", sequences=named).digitize(AMINO), **fits)


def from_msa(msa: DigitalMSA, architecture: str = "fast", **fits: int) -> HMM:
    """The profile of a digital alignment; "hand" takes the columns that it marks."""
    msa.name = "rows"
    return Builder(AMINO, architecture=architecture, seed=SEED, **fits).build_msa(msa, Background(AMINO))[0]


def in_rounds(sequences: list[str], rows: list[str] = ()) -> HMM:
    """The profile of sequences that hmmalign aligns, round after round.

    The rounds start from the profile of `rows`, or else of the medoid, and end early
    if an alignment repeats.
    """
    hmm = from_rows(list(rows) or [sequences[medoid(sequences)]], **ROUND_FITS)
    some, before = block(spread(sequences, MOST_IN_ROUND)), None
    for number in range(ROUNDS - 1):
        msa = hmmalign(hmm, some, cpus=1, digitize=True)
        if number:  # the first alignment is too rough to choose columns by
            choose_columns(msa)
        if msa == before:
            break
        hmm, before = from_msa(msa, "hand", **ROUND_FITS), msa
    msa = hmmalign(hmm, block(sequences), cpus=1, digitize=True)
    choose_columns(msa)
    return from_msa(msa, "hand")


def block(sequences: list[str]) -> DigitalSequenceBlock:
    named = (TextSequence(name=f"s{i}", sequence=text) for i, text in enumerate(sequences))
    return DigitalSequenceBlock(AMINO, [sequence.digitize(AMINO) for sequence in named])


def choose_columns(msa: DigitalMSA) -> None:
    """Mark as match columns those in which half of the rows have a residue.

    The Builder's own choice fails here: hmmalign's insertions make the alignment so long that
    it takes every sequence for a fragment, and makes match columns of the insertions.
    """
    codes = np.array([np.frombuffer(row, dtype=np.uint8) for row in msa.alignment])
    # a gap has the code K; above are degenerate residues and, last, "*" and "~"
    residues = (codes != msa.alphabet.K) & (codes < msa.alphabet.Kp - 2)
    marks = "".join("x" if fraction >= 0.5 else "." for fraction in residues.mean(axis=0))
    if "x" in marks:
        msa.reference = marks


def medoid(sequences: Sequence[str]) -> int:
    """The index of the sequence that shares most k-mers with the others.

    A k-mer counts as often as other sequences have it, per k-mer of the sequence, and only
    sequences within a quarter of the median length compete: neither a fragment nor a
    fusion wins. At most `COMPARED` sequences, evenly spaced, are compared.
    """
    indices = spread(range(len(sequences)), COMPARED)
    median = sorted(len(sequences[i]) for i in indices)[len(indices) // 2]
    starts = {i: range(max(1, len(sequences[i]) - KMER + 1)) for i in indices}
    kmers = {i: {sequences[i][j : j + KMER] for j in starts[i]} for i in indices}
    shared = Counter(kmer for group in kmers.values() for kmer in group)
    usual = [i for i in indices if 0.75 <= len(sequences[i]) / median <= 1.25]
    return max(usual, key=lambda i: (sum(shared[kmer] for kmer in kmers[i]) / len(kmers[i]), -i))


def famsa_rows(family: Family, sequences: list[str]) -> list[str]:
    """Rows of FAMSA's alignment, in the order of the sequences.

    It is not refined: pyfamsa 0.7.0 refines some alignments now in one way, now in another.
    """
    try:
        import pyfamsa  # GPL-3, so it is an extra and imported here only
    except ImportError as error:
        raise PfamnetError("the famsa aligner needs the extra pfamnet[famsa]") from error
    known = str.maketrans("JOU", "XXX")  # letters that FAMSA does not know
    texts = [text.translate(known).encode() for text in sequences]
    named = [pyfamsa.Sequence(str(i).encode(), text) for i, text in enumerate(texts)]
    try:
        msa = pyfamsa.Aligner(threads=1, refine=False).align(named)
    except (RuntimeError, ValueError) as error:
        raise PfamnetError(f"family '{family.name}': FAMSA failed: {error}") from error
    return [row.sequence.decode() for row in sorted(msa, key=lambda row: int(row.id))]


def clean(text: str) -> str:
    """A sequence in upper case, X for whatever is no letter."""
    return NO_LETTER.sub("X", text.upper())


def clean_rows(family: Family, rows: Sequence[str]) -> list[str]:
    """Rows in upper case with "-" for gaps, without those that are only gaps."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            wrong = f"aligned row {number} has {len(row)} columns, the first has {len(rows[0])}"
            raise PfamnetError(f"family '{family.name}': {wrong}")
    tidy = ("-".join(map(clean, row.translate(GAPS).split("-"))) for row in rows)
    return [row for row in tidy if row.strip("-")]


def spread(items: Sequence, most: int) -> list:
    """At most `most` of the items, evenly spaced, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]
