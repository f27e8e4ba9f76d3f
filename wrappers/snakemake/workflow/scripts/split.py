"""Split a FASTA file into chunks of consecutive records, at most one record apart in size.

Chunks without a record are empty files.
"""

import bz2
import gzip
import lzma

PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


def lines_of(path):
    """The lines of a FASTA file, plain or compressed, from its first record on."""
    with open(path, "rb") as file:
        begin = file.read(6)
    opener = next((opener for magic, opener in PACKED.items() if begin.startswith(magic)), open)
    with opener(path, "rb") as file:
        first = file.readline().removeprefix(b"\xef\xbb\xbf")
        while first and not first.strip():
            first = file.readline()
        if first and not first.startswith(b">"):
            raise SystemExit(f"{path}: not FASTA: only FASTA can be split by records")
        yield first
        yield from file


records = sum(line.startswith(b">") for line in lines_of(snakemake.input[0]))
each, more = divmod(records, len(snakemake.output))
sizes = [each + (number < more) for number in range(len(snakemake.output))]

lines = lines_of(snakemake.input[0])
line = next(lines)
for path, size in zip(snakemake.output, sizes):
    with open(path, "wb") as chunk:
        for _ in range(size):
            chunk.write(line)
            for line in lines:
                if line.startswith(b">"):
                    break
                chunk.write(line)
