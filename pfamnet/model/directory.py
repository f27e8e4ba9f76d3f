"""The model directory: what `pfamnet-build` writes and `pfamnet-scan` reads.

model.json          format, networks, thresholds, calibration, provenance, and SHA-256 of all files
families.tsv        the families, in the order of the networks' classes
profiles.h3z        their profile HMMs, packed to the bit (`profiles.packing`)
words.safetensors   their match states, from which `profiles.words` makes an index
light.onnx, light.safetensors; encoder/, head.safetensors     the light, the ESM-2 network
evaluation/, training.tsv, README.md     figures on the validation set, log of the training, model card
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PfamnetError, reason
from ..families import MOST, Family, read_families
from ..io.signatures import COMPRESSED
from ..network.evalues import Calibration
from ..network.runtime import OVERLAP
from ..profiles.store import ProfileFile, ProfileStore
from ..profiles.words import Words, read_words
from ..records import shown
from .combination import Combination

FORMAT = 1
DESCRIPTION = "model.json"
SENSITIVITIES = ("fast", "default", "sensitive")
PROFILES, WORDS = "profiles.h3z", "words.safetensors"
GRAPH, WEIGHTS = "light.onnx", "light.safetensors"
ENCODER, HEAD = "encoder", "head.safetensors"
FAMILIES, CARD = "families.tsv", "README.md"
LEAST_BITS, MOST_BITS, MOST_LETTERS = 4, 28, 20  # of words
MOST_BYTES = 1 << 26  # of a description or a table of families, which are read as one
FILE_NAME = re.compile(r"[A-Za-z0-9_-][\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class Sensitivity:
    """How a sensitivity selects candidates, the families whose profiles are searched."""

    threshold: float  # peak that a family needs to be a candidate
    candidates: int  # mean number for a span of blocks, at most
    most: int  # largest number for a span
    passing: float  # mean number for a span on the validation set

    @classmethod
    def from_json(cls, fields: dict) -> Sensitivity:
        """Raises KeyError, TypeError or ValueError if a scan cannot use `fields`."""
        counts = int(fields["candidates"]), int(fields["most"])
        found = cls(float(fields["threshold"]), *counts, float(fields["passing"]))
        if math.isnan(found.threshold) or min(found.candidates, found.most) < 1:
            raise ValueError("not a sensitivity")
        return found


@dataclass(frozen=True)
class NetworkInfo:
    """How to run one network of a model and how to read its scores; `block` in residues."""

    block: int
    sensitivities: dict[str, Sensitivity]
    calibration: Calibration

    @classmethod
    def from_json(cls, fields: dict) -> NetworkInfo:
        """Raises KeyError, TypeError or ValueError if a scan cannot use `fields`."""
        if not 1 <= fields["block"] <= OVERLAP // 2 or OVERLAP // 2 % fields["block"]:
            raise ValueError("blocks into which windows cannot be cut")
        sensitivities = {name: Sensitivity.from_json(fields["sensitivities"][name]) for name in SENSITIVITIES}
        return cls(int(fields["block"]), sensitivities, Calibration.from_json(fields["calibration"]))


@dataclass(frozen=True)
class OpenedModel:
    """An opened model directory. `networks` holds "light", and "esm" if the model has it.

    `title` replaces the directory's name in outputs.
    """

    path: Path
    families: list[Family]
    store: ProfileStore
    networks: dict[str, NetworkInfo]
    description: dict
    title: str = ""

    @property
    def name(self) -> str:
        return self.title or self.path.name

    def combination(self, network: str) -> Combination | None:
        """How a network's calls and profiles' bits make one score; None if the build did not fit it."""
        fields = self.description.get("combination", {}).get(network)
        return Combination.from_json(fields["weights"]) if fields else None

    def words(self) -> Words:
        """The words of the profiles, ready to be looked for; PfamnetError if their file is damaged."""
        lengths = [family.length for family in self.families]
        rule = self.description["words"]
        return read_words(self.path / WORDS, lengths, rule["bits"], rule["letters"])

    def runtime(self, network: str, device: str = "cpu"):
        """The network itself, ready to run; `device` is for the esm network.

        Raises PfamnetError if its files are damaged or of other families.
        """
        from ..network.runtime import EsmRuntime, LightRuntime

        if network == "light":
            return LightRuntime(self.path / GRAPH, self.networks["light"].block, len(self.families))
        runtime = EsmRuntime(self.path / ENCODER, self.path / HEAD, device)
        if (runtime.block, runtime.network.families) != (self.networks[network].block, len(self.families)):
            raise PfamnetError(f"{self.path / HEAD}: not the head of a network for this model's families")
        return runtime


def open_model(path: str | Path, title: str = "") -> OpenedModel:
    """Open and check a model directory.

    Raises PfamnetError if it is no model or of another format, or if a file is missing or corrupt.
    """
    path = Path(path)
    description = read_description(path)
    try:
        return replace(_open(path, description), title=title)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # every digest is correct, but this program wrote none of it
        raise PfamnetError(f"{path}: {DESCRIPTION} or families.tsv lacks what a model needs") from None


def _open(path: Path, description: dict) -> OpenedModel:
    files, number = description["files"], description["families"]
    for name in (FAMILIES, GRAPH, WORDS, description["profiles"]):
        if name not in files:
            raise PfamnetError(f"{path}: {DESCRIPTION} does not list {shown(str(name))}")
        if not (path / name).is_file():
            raise PfamnetError(f"{path}: {name} is missing")
    check_small(path / FAMILIES)
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(check_files, path, files)
        try:  # meanwhile
            families = read_families(path / FAMILIES, min(int(number), MOST))
        finally:
            checking.result()  # damage is reported first, whatever follows from it
    if len(families) != number:
        raise PfamnetError(f"{path}: {FAMILIES} has {len(families)} families, {DESCRIPTION} {number}")
    offsets = [family.offset for family in families]
    store = ProfileStore(ProfileFile(path / description["profiles"], offsets, families))
    networks = {name: NetworkInfo.from_json(fields) for name, fields in description["networks"].items()}
    if "light" not in networks:
        raise KeyError("light")
    model = OpenedModel(path, families, store, networks, description)
    bits, letters = (description["words"][name] for name in ("bits", "letters"))
    is_whole = isinstance(letters, int)
    if not LEAST_BITS <= bits <= MOST_BITS or not (is_whole and 1 <= letters <= MOST_LETTERS):
        raise ValueError("words that no profile or every one has")
    for name in networks:  # errors come now, not at the first hit
        model.combination(name)
    return model


def check_files(path: Path, files: dict[str, str]) -> None:
    """Raise PfamnetError unless every file is there and has its SHA-256."""
    for name, digest in files.items():
        if not (path / name).is_file():
            raise PfamnetError(f"{path}: {name} is missing")
        if file_digest(path / name) != digest:
            raise PfamnetError(f"{path}: {name} is damaged (its SHA-256 is not the one in {DESCRIPTION})")


def read_description(path: Path) -> dict:
    """The content of a directory's model.json, checked by its own digest."""
    try:
        os.scandir(path).close()
        check_small(path / DESCRIPTION)
        text = (path / DESCRIPTION).read_bytes().decode()
        description = json.loads(text)
        intact = text == as_text(description)  # JSON ignores changes of white space
        digest = description.pop("digest")
    except FileNotFoundError:
        if not path.exists():
            raise PfamnetError(f"{path}: no such file or directory") from None
        raise PfamnetError(f"{path}: not a model directory ({DESCRIPTION} is missing)") from None
    except (PermissionError, NotADirectoryError) as error:
        raise PfamnetError(f"{path}: {reason(error)}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PfamnetError(f"{path}: {DESCRIPTION} is damaged") from None
    if not intact or digest != description_digest(description):
        raise PfamnetError(f"{path}: {DESCRIPTION} is damaged (its SHA-256 is not the one it names)")
    if (format := description.get("format")) != FORMAT:
        raise PfamnetError(
            f"{path}: a model of format {shown(str(format))}; this pfamnet reads format {FORMAT}"
        )
    names = description.get("files")
    if not isinstance(names, dict) or not all(map(is_file_name, names)):
        raise PfamnetError(f"{path}: {DESCRIPTION} lists files that a model cannot have")
    return description


def check_small(path: Path) -> None:
    """Raise PfamnetError unless a file is one that can be read as a whole: plain, and not too large."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PfamnetError(f"{path.parent}: {path.name} is damaged (not a file)")
    if status.st_size > MOST_BYTES:
        raise PfamnetError(f"{path.parent}: {path.name} is damaged (more than {MOST_BYTES >> 20} MiB)")
    with open(path, "rb") as file:
        if file.read(6).startswith(tuple(COMPRESSED)):
            raise PfamnetError(f"{path.parent}: {path.name} is damaged (compressed)")


def is_file_name(name: str) -> bool:
    """Whether a model may have a file of this name: plain words, in a directory or two of such names."""
    parts = name.split("/")
    return len(parts) <= 3 and parts[0] != DESCRIPTION and all(map(FILE_NAME.fullmatch, parts))


def as_text(description: dict) -> str:
    """A description as model.json has it."""
    return json.dumps(description, indent=1) + "\n"


def description_digest(description: dict) -> str:
    """SHA-256 of a description without its own digest, in one canonical form."""
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ModelWriter:
    """A model directory in the making; `finish` gives it its name, else it is removed on exit.

    It is written in `within` if that is of the file system of `out`, else beside `out`.
    """

    def __init__(self, out: str | Path, within: str | Path | None = None):
        self.out = Path(out)
        within = Path(within or self.out.parent)
        for folder in (within, self.out.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if within.stat().st_dev != self.out.parent.stat().st_dev:
            within = self.out.parent
        self.folder = Path(tempfile.mkdtemp(prefix=".model.", dir=within))
        self.mask = os.umask(0)
        os.umask(self.mask)
        os.chmod(self.folder, 0o777 & ~self.mask)

    def __enter__(self) -> ModelWriter:
        return self

    def __exit__(self, *error) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, description: dict) -> None:
        """Write model.json with the digests of all files, and rename the directory."""
        files = {}
        for file in sorted(self.folder.rglob("*")):
            if file.is_file():
                file.chmod(0o666 & ~self.mask)  # safetensors writes files for the owner alone
                files[str(file.relative_to(self.folder))] = file_digest(file)
        # through JSON once, so that the digest is of what will be read
        description = json.loads(json.dumps(description | {"format": FORMAT, "files": files}))
        complete = description | {"digest": description_digest(description)}
        (self.folder / DESCRIPTION).write_text(as_text(complete), encoding="utf-8")
        if os.path.lexists(self.out):
            raise PfamnetError(f"{self.out}: exists already")
        os.rename(self.folder, self.out)
