"""Seeded mutations of sequence files, HMM databases and model directories.

Each input ends in rows or in a one-line refusal; anything else is printed and
counted. The tests run some hundred; the whole from the command line:

    python tests/helpers/fuzz.py --count 100000 --seed 1
"""

import argparse
import collections
import gzip
import hashlib
import io
import json
import multiprocessing
import random
import tempfile
import traceback
import warnings
from pathlib import Path

import golden
import untrained
from mutations import mutated

from pfamnet.cli.common import one_line
from pfamnet.errors import PfamnetError
from pfamnet.io.sequences import read_sequences
from pfamnet.model.directory import as_text, description_digest, open_model
from pfamnet.model.hmm_database import open_database
from pfamnet.output.tsv import TsvWriter
from pfamnet.profiles.files import write_profiles
from pfamnet.scan.opening import ScanOptions, make_scanner

PROTEIN = golden.record("P15056")


def sequence_files():
    """What sequence files are made from."""
    fasta = (
        ">a first\nMKVLAC*\nDEFGH\n\n>b\n>c é\tx\nacdefgBZXJUO\r\n" + f">k\n{PROTEIN.sequence[400:]}\n"
    ).encode()
    embl = b"ID   A_X  Reviewed; 12 AA.\nAC   P1; Q2;\nDE   some.\nSQ   SEQUENCE 12 AA;\n"
    embl += b"     ACDEFGHIKL MN\n//\n"
    genbank = b"LOCUS       XX  10 aa\nDEFINITION  d\nVERSION     XX.1\nORIGIN\n        1 acdefghikl\n//\n"
    stockholm = b"# STOCKHOLM 1.0\n#=GF ID x\n#=GS a DE the a\na ACDEF-GHI\nb AC..FKGH*\n//\n"
    texts = [fasta, embl * 2, genbank * 2, stockholm * 2]
    return texts + [
        gzip.compress(fasta, mtime=0),
        gzip.compress(fasta[:60], mtime=0) + gzip.compress(fasta[60:], mtime=0),
    ]


class Fuzz:
    """Runs inputs by number: number and seed tell everything."""

    def __init__(self, folder, seed):
        self.folder, self.seed = Path(folder), seed
        self.texts = sequence_files()
        hmms = sorted(golden.hmms(), key=lambda hmm: hmm.M)[:3]
        self.path = self.folder / "library"
        write_profiles(str(self.path), hmms)
        binary, text = self.path.read_bytes(), io.BytesIO()
        for hmm in hmms:
            hmm.write(text)
        self.libraries = [binary, text.getvalue(), gzip.compress(text.getvalue(), mtime=0)]
        self.directory = untrained.write_model(self.folder / "model")
        self.files = {path: path.read_bytes() for path in sorted(self.directory.iterdir())}
        self.scanner = scanner_of(open_database(self.write(binary)))

    def write(self, data):
        self.path.write_bytes(data)
        return self.path

    def run(self, number):
        """The outcome of one input: 'rows', 'refused', or a traceback."""
        rng = random.Random(f"{self.seed} {number}")
        kind = ("sequences", "sequences", "library", "model")[number % 4]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a scan would print it
                getattr(self, kind)(rng)
            return kind, "rows"
        except PfamnetError as error:
            said = one_line(str(error))  # as the programs say it
            sound = len(said.splitlines()) == 1 and len(said) < 1000
            return kind, "refused" if sound else f"not one line: {error}"
        except Exception:
            return kind, traceback.format_exc()

    def sequences(self, rng):
        data = mutated(rng.choice(self.texts), rng)
        format = rng.choice((None, None, None, "fasta", "embl", "genbank", "stockholm", "afa"))
        for record in read_sequences("-", format, io.BytesIO(data)):
            table(self.scanner, record)

    def library(self, rng):
        model = open_database(self.write(mutated(rng.choice(self.libraries), rng)))
        table(scanner_of(model), PROTEIN)

    def model(self, rng):
        """One file changed; half of the time with digests that fit the change."""
        path = rng.choice(list(self.files))
        honest = path.suffix in (".json", ".tsv") and rng.random() < 0.5
        try:
            path.write_bytes(mutated(self.files[path], rng))
            if honest:
                sign(self.directory, path)
            table(scanner_of(open_model(self.directory)), PROTEIN)
        finally:
            for file in (path, self.directory / "model.json"):
                file.write_bytes(self.files[file])


def sign(model, path):
    """Make the digests fit a changed file, where model.json can still be read."""
    description = model / "model.json"
    try:
        fields = json.loads(description.read_bytes())
        fields.pop("digest")
        if path != description:
            fields["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        fields["digest"] = description_digest(fields)
        description.write_text(as_text(fields))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass


def scanner_of(model):
    """The default scanner of a model, which has nothing to warn of."""
    return make_scanner(model, ScanOptions(), warn=None)


def table(scanner, record):
    with TsvWriter(io.BytesIO()) as writer:
        writer.write(record, scanner.scan([record])[0])


def run_all(count, seed, first=0):
    """Outcomes by kind, and what is neither rows nor a refusal.

    Each batch runs in a process of its own: one that dies is an outcome too.
    """
    outcomes, bad = collections.Counter(), []
    batch = 1000
    start, end = first, first + count
    while start < end:
        numbers = range(start, min(start + batch, end))
        context = multiprocessing.get_context("spawn")  # torch may not be used after a fork
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=run_batch, args=(numbers, seed, writer))
        process.start()
        writer.close()
        done = 0
        try:
            while True:
                kind, outcome = reader.recv()
                done += 1
                if outcome in ("rows", "refused"):
                    outcomes[kind, outcome] += 1
                else:
                    outcomes[kind, "other"] += 1
                    bad.append((start + done - 1, outcome))
        except EOFError:
            process.join()
        if done < len(numbers):
            outcomes["any", "died"] += 1
            bad.append((start + done, f"the process died: {process.exitcode}"))
            done += 1
        start += done
    return outcomes, bad


def run_batch(numbers, seed, writer):
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(folder, seed)
        for number in numbers:
            writer.send(fuzz.run(number))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    outcomes, bad = run_all(options.count, options.seed, options.first)
    for number, outcome in bad[:20]:
        print(f"--- input {number}\n{outcome}")
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"{kind}\t{outcome}\t{count}")
    print(f"inputs\t{options.count}\tneither rows nor a one-line refusal\t{len(bad)}")


if __name__ == "__main__":
    main()
