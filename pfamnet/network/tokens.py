"""Residues as ESM-2 token ids, the input of every network.

The vocabulary is that of ESM-2 (Lin et al. 2023, Science 379:1123), in the
order of the models' ``vocab.txt``: a token's id is its place in `VOCABULARY`.
"""

import numpy as np

VOCABULARY = (
    "<cls>",
    "<pad>",
    "<eos>",
    "<unk>",
    "L",
    "A",
    "G",
    "V",
    "S",
    "E",
    "R",
    "T",
    "I",
    "D",
    "P",
    "K",
    "Q",
    "N",
    "F",
    "Y",
    "M",
    "H",
    "W",
    "C",
    "X",
    "B",
    "U",
    "Z",
    "O",
    ".",
    "-",
    "<null_1>",
    "<mask>",
)

CLS = 0
PAD = 1
EOS = 2
UNKNOWN = 24  # X, any residue
MASK = 32

RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO"


def _translation() -> np.ndarray:
    """Make the table from a character's code to its token id, 256 entries."""
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for token, letter in enumerate(VOCABULARY):
        if letter in RESIDUES:
            table[ord(letter)] = token
            table[ord(letter.lower())] = token
    return table


_TABLE = _translation()


def encode(sequence: str) -> np.ndarray:
    """Turn a protein sequence into token ids, one for each character.

    Letters of either case are residues. What ESM-2 has no residue for (``J``,
    ``*``, gaps, digits, letters of other scripts) becomes X, so that token
    ``i`` is always character ``i`` of the sequence.

    Returns:
        uint8 array of shape (L,), L = ``len(sequence)``, in 4..28; without
        start, end or padding tokens.
    """
    # "replace" writes one "?" for each character outside latin-1.
    codes = np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)
    return _TABLE[codes]
