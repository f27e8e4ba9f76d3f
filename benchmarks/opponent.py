"""pyhmmer on pressed profiles, as a process of its own: what pfamnet-scan is timed against.

    python benchmarks/opponent.py hmmsearch PRESSED FASTA CPUS

Prints the number of reported hits. Profiles and sequences are in memory before
the search, as pyhmmer's documentation advises; Z is the number of profiles.
"""

import sys
import time

from pyhmmer.easel import Alphabet, SequenceFile
from pyhmmer.hmmer import hmmscan, hmmsearch
from pyhmmer.plan7 import HMMFile, OptimizedProfileBlock


def main(program: str, pressed: str, fasta: str, cpus: int) -> None:
    begun = time.perf_counter()
    with HMMFile(pressed) as file:
        profiles = OptimizedProfileBlock(Alphabet.amino(), file.optimized_profiles())
    with SequenceFile(fasta, digital=True, alphabet=Alphabet.amino()) as file:
        sequences = file.read_block()
    opened = time.perf_counter()
    if program == "hmmsearch":
        results = hmmsearch(profiles, sequences, cpus=cpus, Z=len(profiles))
    else:
        results = hmmscan(sequences, profiles, cpus=cpus, Z=len(profiles))
    reported = sum(len(top.reported) for top in results)
    print(reported, f"{opened - begun:.3f}", f"{time.perf_counter() - opened:.3f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
