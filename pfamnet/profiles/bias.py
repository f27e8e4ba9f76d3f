"""How many bits HMMER's bias filter may take from a score.

The filter is a model of two states, which emit residues of the background and of the profile's composition
(hmmer.org, `p7_bg_FilterScore`). It takes from a score what that model explains better than the background.
"""

from __future__ import annotations

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequence
from pyhmmer.plan7 import Background, OptimizedProfile

SPAN = 32  # residues in which the model is thought to change its state at most once
_ORDINARY = 20  # codes of amino acids; those after them are of other symbols
_BACKGROUND = np.array(Background(Alphabet.amino()).residue_frequencies, np.float32)


def span_counts(sequence: DigitalSequence) -> np.ndarray:
    """How often each amino acid is in each `SPAN` residues of a sequence (spans, 20)."""
    codes = np.asarray(sequence.sequence)
    places = np.flatnonzero(codes < _ORDINARY)
    spans = -(-len(codes) // SPAN)
    cells = places // SPAN * _ORDINARY + codes[places]
    return np.bincount(cells, minlength=spans * _ORDINARY).reshape(spans, _ORDINARY).astype(np.float32)


def most_bias(counts: np.ndarray, profile: OptimizedProfile) -> float:
    """The bits that the filter takes at most, but for one or two; `counts` are those of `span_counts`."""
    with np.errstate(all="ignore"):
        ratios = np.log2(np.asarray(profile.compositions) / _BACKGROUND)
    bits = np.maximum(counts @ ratios, 0).sum()
    return float(bits) if np.isfinite(bits) else np.inf  # a profile without a composition
