"""An HMM database as a model: every profile, no network.

It is read completely, as HMMER ASCII or `.h3m`, plain or compressed; hmmpress is not needed, but what it
wrote is read in a tenth of the time. Pfam's `Pfam-A.hmm.dat`, if it lies beside `Pfam-A.hmm`, gives the
clans and types of its families.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from ..errors import PfamnetError
from ..families import accession_key
from ..io.textfile import numbered_lines, on_stderr
from ..profiles.files import family_of, read_hmms
from ..profiles.store import ProfileStore
from ..records import shown
from .directory import OpenedModel

# how an index of Easel's (SSI 3.0) begins: magic, flags, size of offsets, files, primary keys
INDEX, INDEX_MAGIC = struct.Struct(">IIIHQ"), 0xD3D3C9B3


def find_database(path: Path) -> Path | None:
    """The file of an HMM database, or None.

    As for hmmscan, a pressed one's `.h3m` may be left out, its flat file may be empty, and what is not
    there is looked for in the directories of the environment variable PFAMDB. The `.h3m` is also taken if
    the flat file is not newer.
    """
    folders = os.environ.get("PFAMDB", "").split(":") if not path.exists() else []
    for place in (path, *(Path(folder, path) for folder in folders if folder)):
        pressed = Path(f"{place}.h3m")
        if pressed.is_file() and not (place.exists() and needs_reading(place, pressed)):
            return pressed
        if place.exists() and not place.is_dir():
            return place
    return None


def needs_reading(flat: Path, pressed: Path) -> bool:
    """Whether a flat file may hold other profiles than the `.h3m` that hmmpress wrote beside it."""
    status = flat.stat()
    return not flat.is_file() or (status.st_size > 0 and status.st_mtime_ns > pressed.stat().st_mtime_ns)


def open_database(path: Path, warn: Callable[[str], None] | None = None, title: str = "") -> OpenedModel:
    """A model without networks; `warn` takes a line about odd profiles. `title` is as of `OpenedModel`.

    Raises PfamnetError if the file holds anything but profiles, or a name twice.
    """
    hmms, families, numbers, about = [], [], {}, read_dat(path, warn)
    for number, hmm in enumerate(read_hmms(path, warn), 1):
        family = family_of(hmm)
        first = numbers.setdefault(family.name, number)
        if first != number:
            where = f"{path}: profile {number} '{shown(family.name)}'"
            raise PfamnetError(f"{where}: has the name of profile {first}")
        families.append(family.completed(**about.get(family.key, {})))
        hmms.append(hmm)
    if (counted := pressed_number(path)) and counted > len(hmms):
        cut_off = f"{path}: {len(hmms)} profiles, and hmmpress counted {counted} (.h3i)"
        if path.suffix == ".h3m":
            raise PfamnetError(f"{cut_off}: it is cut off")
        if warn:
            warn(f"warning: {cut_off}")
    return OpenedModel(path, families, ProfileStore(hmms), {}, {}, title)


def pressed_number(path: Path) -> int | None:
    """The number of profiles in the index that hmmpress made of a database; None if there is none."""
    index = path.with_suffix(".h3i") if path.suffix == ".h3m" else Path(f"{path}.h3i")
    try:
        with open(index, "rb") as file:
            magic, _, _, _, number = INDEX.unpack(file.read(INDEX.size))
    except (OSError, struct.error):
        return None
    return number if magic == INDEX_MAGIC else None


def dat_beside(path: Path) -> str | None:
    """Pfam's table of clans and types beside a database, if there is one."""
    stem = str(path).removesuffix(".gz").removesuffix(".h3m")
    return next((file for ending in (".dat", ".dat.gz") if os.path.isfile(file := f"{stem}{ending}")), None)


def read_dat(path: Path, warn: Callable[[str], None] | None = None) -> dict[str, dict[str, str]]:
    """The clan and the type of each accession, from the `.dat` beside a database, if there is one."""
    table = dat_beside(path)
    found: dict[str, dict[str, str]] = {}
    entry: dict[str, str] = {}
    for _, line in numbered_lines(table, True, warn or on_stderr) if table else ():
        fields = line.split(None, 2)
        if line.startswith("//"):
            entry = {}
        elif len(fields) == 3 and fields[0] == "#=GF":
            if fields[1] == "AC":
                found[accession_key(fields[2].strip())] = entry
            elif fields[1] in ("CL", "TP"):
                entry["clan" if fields[1] == "CL" else "type"] = fields[2].strip()
    return found
