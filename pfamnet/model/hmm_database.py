"""An HMM database as a model: every profile, no network.

It is read completely, as HMMER ASCII or `.h3m`, plain or gzip; hmmpress is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import PfamnetError
from ..families import Family
from ..profiles.files import read_hmms, text_of
from ..profiles.store import ProfileStore
from ..records import shown
from .directory import Model


def find_database(path: Path) -> Path | None:
    """The file of an HMM database, or None; as for hmmscan, a pressed one's `.h3m` may be left out."""
    pressed = Path(f"{path}.h3m")
    if not path.exists() and pressed.is_file():
        return pressed
    return path if path.exists() and not path.is_dir() else None


def open_database(path: Path, warn: Callable[[str], None] | None = None) -> Model:
    """A `Model` without networks; `warn` takes a line about odd profiles.

    Raises PfamnetError if the file holds anything but profiles, or a name twice.
    """
    hmms, families, numbers = [], [], {}
    for number, hmm in enumerate(read_hmms(path, warn), 1):
        name, accession, about = (text_of(hmm, field) for field in ("name", "accession", "description"))
        first = numbers.setdefault(name, number)
        if first != number:
            raise PfamnetError(f"{path}: profile {number} '{shown(name)}': has the name of profile {first}")
        if hmm.consensus is None:  # HMMER needs it for alignments
            hmm.set_consensus()
        limits = {"ga": hmm.cutoffs.gathering, "tc": hmm.cutoffs.trusted, "nc": hmm.cutoffs.noise}
        families.append(Family(accession, name, hmm.M, description=about, **limits))
        hmms.append(hmm)
    return Model(path, families, ProfileStore(hmms), {}, {})
