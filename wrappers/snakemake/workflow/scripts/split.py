"""Split a FASTA file into chunks of consecutive records, at most one record apart in size.

Chunks without a record are empty files.
"""

import gzip


def opened(path):
    """The lines of a plain or gzip-compressed file."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")


with opened(snakemake.input[0]) as lines:
    records = sum(line.startswith(b">") for line in lines)
each, more = divmod(records, len(snakemake.output))
sizes = [each + (number < more) for number in range(len(snakemake.output))]

with opened(snakemake.input[0]) as lines:
    line = next(lines, b"")
    for path, size in zip(snakemake.output, sizes):
        with open(path, "wb") as chunk:
            for _ in range(size):
                chunk.write(line)
                for line in lines:
                    if line.startswith(b">"):
                        break
                    chunk.write(line)
