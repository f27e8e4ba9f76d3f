"""Build a profile HMM of each family from its training sequences.

Aligned rows are used as they are. Sequences are aligned in rounds: a profile of
the family's medoid aligns them, the alignment gives a better profile, which
aligns them again. FAMSA can do it instead, as an extra.
"""

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextMSA, TextSequence
from pyhmmer.hmmer import hmmalign
from pyhmmer.plan7 import Background, Builder

from pfamnet.errors import PfamnetError

ALIGNERS = ("hmmalign", "famsa")
# Rounds of hmmalign: from three to five held-out members gained half a bit on
# average, from five to eight a tenth.
ROUNDS = 5
# Rounds before the last see this many sequences at most, and no profile more
# than MOST_SEQUENCES: evenly spaced ones, for it is variety that counts.
MOST_IN_ROUND = 200
MOST_SEQUENCES = 2000
# A family's aligned rows make its profile alone if they are this share of its
# sequences; fewer only start the rounds.
ROWS_SHARE = 0.9
# HMMER's default. The E-value parameters are fitted to random sequences drawn
# with it, so that the same alignment always gives the same profile.
SEED = 42
# Random sequences for those fits: few in a round, whose profile only aligns.
_ROUND_FITS = {"EmN": 20, "EvN": 20, "EfN": 20}
_GAPS = "-._~"
_LETTERS = frozenset("ACDEFGHIKLMNPQRSTVWYBJZOUX")


def build_profile(family, sequences=(), rows=(), aligner="hmmalign"):
    """Return the profile (pyhmmer HMM) of a family.

    family     a Family: name, accession, description and cutoffs go into the profile
    sequences  its unaligned sequences, letters of any case; a letter that is no
               amino acid counts as X
    rows       aligned rows, gaps "-", ".", "_" or "~"; residues of a sequence may
               be missing. They alone make the profile if there are about as many
               as sequences (ROWS_SHARE), else they start the rounds of hmmalign
    aligner    one of ALIGNERS; a family of one sequence needs none: its profile
               comes from BLOSUM62

    The same arguments give the same bytes. Raises PfamnetError that names the
    family when it has no residues, when rows differ in length, and when pyfamsa
    is asked for and not installed.
    """
    if aligner not in ALIGNERS:
        raise PfamnetError(f"no aligner '{aligner}': choose from {', '.join(ALIGNERS)}")
    rows = _clean_rows(family, rows)
    sequences = [text for text in map(_clean, sequences) if text]
    workshop = _Workshop(family.name)
    if rows and len(rows) >= ROWS_SHARE * len(sequences):
        hmm = workshop.from_rows(rows)
    elif not sequences:
        raise PfamnetError(f"family '{family.name}': no sequence with a residue")
    elif len(set(sequences)) == 1:
        hmm = workshop.from_one(sequences[0])
    elif aligner == "famsa":
        hmm = workshop.from_rows(_famsa_rows(family, _spread(sequences, MOST_SEQUENCES)))
    else:
        hmm = workshop.in_rounds(_spread(sequences, MOST_SEQUENCES), rows)
    return _label(hmm, family)


class _Workshop:
    """The HMMER objects that building one family's profile takes.

    They keep state while they work, so each family, and so each thread, has its own.
    """

    def __init__(self, name):
        self.name = name
        self.alphabet = Alphabet.amino()
        self.background = Background(self.alphabet)

    def from_one(self, sequence, fits=None):
        """The profile of one sequence: BLOSUM62 with HMMER's gap probabilities."""
        digital = TextSequence(name=self.name, sequence=sequence).digitize(self.alphabet)
        return self._builder(fits).build(digital, self.background)[0]

    def from_rows(self, rows, fits=None):
        """The profile of aligned rows, all of one length; one row makes one too."""
        if len(rows) == 1:
            return self.from_one(_ungapped(rows[0]), fits)
        named = [TextSequence(name=f"s{i}", sequence=row) for i, row in enumerate(rows)]
        return self.from_msa(TextMSA(name=self.name, sequences=named).digitize(self.alphabet), fits)

    def from_msa(self, msa, fits=None, architecture="fast"):
        """The profile of a digital alignment; "hand" takes the columns it marks."""
        msa.name = self.name
        return self._builder(fits, architecture).build_msa(msa, self.background)[0]

    def in_rounds(self, sequences, rows=()):
        """The profile of sequences that hmmalign aligns, round after round.

        The rounds start from the profile of `rows`, where there are any, else of
        the medoid, and end early when an alignment comes again.
        """
        block = self._block(sequences)
        some = self._block(_spread(sequences, MOST_IN_ROUND))
        if rows:
            hmm = self.from_rows(rows, _ROUND_FITS)
        else:
            hmm = self.from_one(sequences[medoid(sequences)], _ROUND_FITS)
        before = None
        for number in range(ROUNDS - 1):
            msa = hmmalign(hmm, some, cpus=1, digitize=True)
            # The first alignment is too rough to choose by: it keeps the columns it has.
            if number:
                _choose_columns(msa)
            if msa == before:
                break
            hmm, before = self.from_msa(msa, _ROUND_FITS, "hand"), msa
        msa = hmmalign(hmm, block, cpus=1, digitize=True)
        _choose_columns(msa)
        return self.from_msa(msa, architecture="hand")

    def _builder(self, fits, architecture="fast"):
        return Builder(self.alphabet, architecture=architecture, seed=SEED, **(fits or {}))

    def _block(self, sequences):
        named = (TextSequence(name=f"s{i}", sequence=text) for i, text in enumerate(sequences))
        return DigitalSequenceBlock(self.alphabet, [s.digitize(self.alphabet) for s in named])


def _choose_columns(msa):
    """Mark as match columns those in which half of the rows have a residue.

    The Builder's own choice will not do here. hmmalign does not align insertions
    but sets them side by side, which makes the alignment long; the Builder then
    takes every sequence for a fragment, does not count its gaps, and makes match
    columns of the insertions.
    """
    codes = np.array([np.frombuffer(row, dtype=np.uint8) for row in msa.alignment])
    # Gaps have the code K; above are degenerate residues and, last, "*" and "~".
    residues = (codes != msa.alphabet.K) & (codes < msa.alphabet.Kp - 2)
    marks = "".join("x" if share >= 0.5 else "." for share in residues.mean(axis=0))
    if "x" in marks:
        msa.reference = marks


def medoid(sequences, word=3, most=400):
    """Return the index of the sequence that has most words in common with the others.

    A word counts as often as other sequences have it, per word of the sequence,
    among those whose length is within a quarter of the median: so neither a
    fragment nor a fusion comes out. At most `most` sequences, evenly spaced, are
    looked at.
    """
    indices = _spread(range(len(sequences)), most)
    median = sorted(len(sequences[i]) for i in indices)[len(indices) // 2]
    words = {}
    for i in indices:
        text = sequences[i]
        words[i] = {text[j : j + word] for j in range(max(1, len(text) - word + 1))}
    shared = Counter(w for group in words.values() for w in group)
    usual = [i for i in indices if 0.75 <= len(sequences[i]) / median <= 1.25]
    return max(usual, key=lambda i: (sum(shared[w] for w in words[i]) / len(words[i]), -i))


def _famsa_rows(family, sequences):
    """Rows of FAMSA's alignment. pyfamsa is GPL-3, so it is imported here only."""
    try:
        import pyfamsa
    except ImportError as error:
        raise PfamnetError("the famsa aligner needs the extra pfamnet[famsa]") from error
    # FAMSA knows no J, O and U.
    known = str.maketrans("JOU", "XXX")
    named = [
        pyfamsa.Sequence(str(i).encode(), text.translate(known).encode()) for i, text in enumerate(sequences)
    ]
    try:
        aligned = pyfamsa.Aligner(threads=1).align(named)
    except (RuntimeError, ValueError) as error:
        raise PfamnetError(f"family '{family.name}': FAMSA failed: {error}") from error
    # FAMSA puts like sequences together; we keep the order that came in.
    return [row.sequence.decode() for row in sorted(aligned, key=lambda row: int(row.id))]


def _label(hmm, family):
    """Write into the profile what is known of its family."""
    hmm.name = family.name
    hmm.accession = family.accession or None
    hmm.description = family.description or None
    hmm.cutoffs.gathering = family.ga
    hmm.cutoffs.trusted = family.tc
    hmm.cutoffs.noise = family.nc
    # Neither the time nor the command of building shall make the file differ.
    hmm.creation_time = None
    hmm.command_line = None
    return hmm


def _clean(text):
    """Upper case, X for whatever is no amino acid."""
    text = text.upper()
    if _LETTERS.issuperset(text):
        return text
    return "".join(letter if letter in _LETTERS else "X" for letter in text)


def _clean_rows(family, rows):
    """Rows in upper case with "-" for gaps, without those that are only gaps."""
    rows = list(rows)
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise PfamnetError(
                f"family '{family.name}': aligned row {number} has {len(row)} columns, "
                f"the first has {len(rows[0])}"
            )
    gaps = str.maketrans(_GAPS, "-" * len(_GAPS))
    clean = ("-".join(map(_clean, row.translate(gaps).split("-"))) for row in rows)
    return [row for row in clean if row.strip("-")]


def _ungapped(row):
    return row.replace("-", "")


def _spread(items, most):
    """At most `most` of the items, evenly spaced, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


@dataclass(frozen=True)
class _Order:
    """What `build_profile` needs for one family."""

    index: int
    sequences: list
    rows: list


def build_profiles(trainset, aligner="hmmalign", cpus=1, done=None, existing=None):
    """Return the profiles of all families of a TrainSet, in its order.

    trainset  its train fold gives the sequences, its alignments the rows
    cpus      threads; the profiles do not depend on their number
    done      called in this thread as done(index, hmm) whenever a profile is ready,
              in order of completion: to save it, or to show progress
    existing  {family index: HMM} of an earlier, interrupted run: not built again

    Raises PfamnetError as `build_profile` does, at once.
    """
    profiles = dict(existing or {})
    orders = [order for order in _orders(trainset) if order.index not in profiles]
    # The longest jobs first, so that no thread is left with one at the end.
    orders.sort(key=lambda order: -sum(map(len, order.sequences)))

    def work(order):
        family = trainset.families[order.index]
        return build_profile(family, order.sequences, order.rows, aligner)

    with ThreadPoolExecutor(max_workers=max(1, cpus)) as pool:
        waiting = {pool.submit(work, order): order.index for order in orders}
        try:
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    index = waiting.pop(future)
                    profiles[index] = future.result()
                    if done:
                        done(index, profiles[index])
        finally:
            pool.shutdown(cancel_futures=True)
    return [profiles[index] for index in range(len(trainset.families))]


def _orders(trainset):
    """Gather each family's sequences and rows."""
    sequences = [[] for _ in trainset.families]
    for number, start, end, index in trainset.train.domains.tolist():
        if index >= 0:  # -1 marks residues of families that were left out
            sequences[index].append(trainset.train.sequences[number][start:end])
    return [
        _Order(index, texts, [row for _, row in trainset.alignments.get(index, ())])
        for index, texts in enumerate(sequences)
    ]
