"""Mutants of sequence files in every format of --qformat: each ends in records or in one line.

python tests/helpers/format_fuzz.py --count 2000 [FORMAT ...]
"""

import argparse
import collections
import io
import random
import traceback

from mutations import mutated

from pfamnet.cli.scan import FORMATS
from pfamnet.errors import PfamnetError
from pfamnet.io.sequences import read_sequences

EMBL = b"ID   A_X  Reviewed; 12 AA.\nAC   P1; Q2;\nDE   some.\nSQ   SEQUENCE 12 AA;\n     ACDEFGHIKL MN\n//\n"
GENBANK = b"LOCUS       XX  10 aa\nDEFINITION  d\nVERSION     XX.1\nORIGIN\n        1 acdefghikl\n//\n"
STOCKHOLM = b"# STOCKHOLM 1.0\n#=GF ID x\n#=GS a DE the a\na ACDEF-GHI\nb AC..FKGH*\n//\n"
CLUSTAL = b"CLUSTAL W (1.83) multiple sequence alignment\n\na    ACDEFGHI\nb    AC--FGHI\n     **  ****\n"
PHYLIP = b" 2 8\na         ACDEFGHI\nb         AC--FGHI\n"
ROWS = b"a    ACDEFGHI\nb    AC--FGHI\n\na    KLMN\nb    KL-N\n"
AFA = b">a first\nACDEF-GHI\n>b\nAC--FGGHI\n"
TEXTS = {
    **dict.fromkeys(("embl", "uniprot"), EMBL * 2),
    **dict.fromkeys(("genbank", "ddbj"), GENBANK * 2),
    **dict.fromkeys(("stockholm", "pfam"), STOCKHOLM * 2),
    **dict.fromkeys(("clustal", "clustallike"), CLUSTAL),
    **dict.fromkeys(("phylip", "phylips"), PHYLIP),
    **dict.fromkeys(("psiblast", "selex"), ROWS),
    "a2m": b">a first\nACDEfgh-GHI\n>b\nAC-D-GHI\n",
    "afa": AFA,
    "daemon": b">a first\nACDEFGHI\n//\n",
    "hmmpgmd": b"#1 17 2 1 2 2 d\n>1 1\nACDEFGHI\n>2 1\nACDEFGHIK\n",
    "fasta": AFA.replace(b"-", b""),
}
assert set(TEXTS) == set(FORMATS)


def outcome(format, number, seed):
    """'records', 'refused', or what is wrong."""
    data = mutated(TEXTS[format], random.Random(f"{seed} {format} {number}"))
    try:
        for _ in read_sequences("-", format, io.BytesIO(data), warn=lambda text: None):
            pass
        return "records"
    except PfamnetError as error:
        one_line = len(str(error).splitlines()) == 1 and len(str(error)) < 1000
        crashed = "crashed" in str(error)
        return ("crash, one line" if crashed else "refused") if one_line else f"not one line: {error}"
    except Exception:
        return traceback.format_exc()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("formats", nargs="*", default=FORMATS)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for format in options.formats:
        counts = collections.Counter(outcome(format, n, options.seed) for n in range(options.count))
        print(format, options.count, dict(counts), sep="\t", flush=True)


if __name__ == "__main__":
    main()
