"""Residues as ESM-2 token ids, the input of every network.

The vocabulary is that of ESM-2 (Lin et al. 2023, Science 379:1123). A token's id is its place in it.
"""

import numpy as np

RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO"
VOCABULARY = ("<cls>", "<pad>", "<eos>", "<unk>", *RESIDUES, ".", "-", "<null_1>", "<mask>")
CLS, PAD, EOS, UNKNOWN = map(VOCABULARY.index, ("<cls>", "<pad>", "<eos>", "X"))


# the token id of each latin-1 character (256,)
_TABLE = np.full(256, UNKNOWN, dtype=np.uint8)
for _letters in (RESIDUES, RESIDUES.lower()):
    _TABLE[[*_letters.encode()]] = [*map(VOCABULARY.index, RESIDUES)]


def encode(sequence: str) -> np.ndarray:
    """Turn a protein sequence into token ids (L,) uint8, one for each character.

    Letters of either case are residues. What ESM-2 has no residue for (``J``, ``*``, gaps, digits, letters of
    other scripts) becomes X. Start, end and padding tokens are not added.
    """
    # "replace" writes one "?" for each character outside latin-1.
    return _TABLE[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]
