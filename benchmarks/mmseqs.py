"""MMseqs2 on profiles of the same families, made from alignments that their HMMs emit."""

import shlex
import subprocess
from pathlib import Path

EMITTED = 30  # rows of each alignment


def mmseqs_profiles(model, folder) -> Path:
    """Build a profile database of all families; not timed."""
    import hmmer

    folder = Path(folder)
    folder.mkdir()
    library, rows = folder / "all.hmm", folder / "all.sto"
    with open(library, "wb") as file:
        for i in range(len(model.families)):
            model.store.hmm(i).write(file)
    hmmemit = Path(hmmer.path(hmmer.Program.hmmemit))
    try:
        quiet(hmmemit, "-a", "-N", EMITTED, "--seed", 1, "-o", rows, library)
    finally:
        hmmemit.unlink()
    quiet("mmseqs", "convertmsa", rows, folder / "rows", "--identifier-field", 0)
    quiet("mmseqs", "msa2profile", folder / "rows", folder / "profiles", "--match-mode", 1)
    return folder / "profiles"


def mmseqs_search(query, profiles, folder, cpu) -> list:
    """A command that reads the proteins, searches them with the profiles, and writes a table."""
    folder = Path(folder)
    folder.mkdir()
    steps = (
        ["createdb", query, folder / "query"],
        [
            "search",
            profiles,
            folder / "query",
            folder / "hits",
            folder / "scratch",
            "-s",
            7.5,
            "--threads",
            cpu,
            "-e",
            10,
        ],
        ["convertalis", profiles, folder / "query", folder / "hits", folder / "table", "--threads", cpu],
    )
    return ["sh", "-ec", "\n".join(shlex.join(["mmseqs", *map(str, step), "-v", "1"]) for step in steps)]


def quiet(*command) -> None:
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
