"""An HMM database in the place of a model: every profile, no network.

hmmscan's users have such files. They are read whole, as HMMER ASCII or
`.h3m`, plain or gzip; hmmpress is not needed.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import PfamnetError
from ..families import Family
from ..profiles.files import read_hmms
from ..profiles.store import ProfileStore
from .directory import Model

PRESSED = ".h3m"


def find_library(path: Path) -> Path | None:
    """The file of an HMM database, which may be named as hmmscan takes it:
    without the `.h3m` of a pressed one. None where `path` is no file."""
    pressed = Path(f"{path}{PRESSED}")
    if path.is_dir():
        return None
    if not path.exists() and pressed.is_file():
        return pressed
    return path if path.exists() else None


def open_library(path: Path) -> Model:
    """A `Model` without networks, of all profiles of a file.

    Raises PfamnetError, one line, where the file holds anything else, or two
    profiles of one name.
    """
    hmms, families, numbers = [], [], {}
    try:
        for number, hmm in enumerate(read_hmms(str(path)), 1):
            first = numbers.setdefault(hmm.name, number)
            if first != number:
                raise PfamnetError(f"{path}: profile {number} '{hmm.name}': has the name of profile {first}")
            if hmm.consensus is None:  # HMMER needs it for alignments
                hmm.set_consensus()
            hmms.append(hmm)
            families.append(family_of(hmm))
    except UnicodeDecodeError:
        raise PfamnetError(f"{path}: profile {len(hmms) + 1}: not UTF-8 text") from None
    return Model(path, families, ProfileStore(hmms), {}, {})


def family_of(hmm) -> Family:
    """What a profile says of its family."""
    cutoffs = hmm.cutoffs
    return Family(
        hmm.accession or "",
        hmm.name,
        hmm.M,
        description=hmm.description or "",
        ga=cutoffs.gathering,
        tc=cutoffs.trusted,
        nc=cutoffs.noise,
    )
