"""The program of the process that `easel` starts: sequences from stdin, in one of Easel's formats, as JSON.

Each line is a record [name, accession, description, sequence]; the last one is null, or says what is
wrong. Bytes that are not UTF-8 are surrogates, as in `records`. It imports nothing of pfamnet.
"""

import io
import json
import resource
import signal
import sys

from pyhmmer.easel import SequenceFile, TextSequence

SECONDS = 120  # of CPU time from one record to the next: a reader that takes more will not end
MEMORY = 4 << 30  # bytes: what a file claims to hold is not believed beyond that


def texts(sequence: TextSequence) -> tuple[str, str, str]:
    """Name, accession and description of a sequence."""
    try:
        return sequence.name, sequence.accession or "", sequence.description or ""
    except UnicodeDecodeError:  # pyhmmer takes all for UTF-8
        pass
    written = io.BytesIO()  # as FASTA: name, accession if there is one, description
    sequence.copy().write(written)
    line = written.getvalue().partition(b"\n")[0].decode("utf-8", "surrogateescape")
    name, _, rest = line.removeprefix(">").partition(" ")
    try:
        accession = sequence.accession or ""
    except UnicodeDecodeError:
        accession = rest.partition(" ")[0]
    return name, accession, rest.removeprefix(accession).removeprefix(" ") if accession else rest


def main(format: str) -> None:
    def put(value) -> None:
        print(json.dumps(value), flush=True)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)

    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
        with SequenceFile(sys.stdin.buffer, format=format) as reader:
            for sequence in reader:
                put([*texts(sequence), sequence.sequence])
    except UnicodeDecodeError:
        put("text that is not ASCII where there must not be any")
    except Exception as error:
        put(str(error.__cause__ or error) or type(error).__name__)
    else:
        put(None)


if __name__ == "__main__":
    main(sys.argv[1])
