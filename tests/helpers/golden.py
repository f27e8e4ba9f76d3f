"""The golden fixtures: real profiles and proteins, and hmmscan's tables of them."""

import functools
import io
from pathlib import Path

from pfamnet.io.fasta import read_fasta
from pfamnet.output.hmmscan_tables import Trailer
from pfamnet.profiles.files import family_of, read_hmms
from pfamnet.profiles.search import ProfileSearch
from pfamnet.profiles.store import ProfileStore
from pfamnet.profiles.thresholds import Thresholds

DATA = Path(__file__).parent.parent / "data"
SETS = {"default": Thresholds(), "cut_ga": Thresholds(bit_cutoffs="gathering")}


@functools.cache
def hmms():
    return list(read_hmms(DATA / "golden.hmm.gz"))


@functools.cache
def families():
    return list(map(family_of, hmms()))


@functools.cache
def records():
    return list(read_fasta(DATA / "golden.fa"))


def h3m(hmm):
    """A profile as HMMER writes it in binary."""
    stream = io.BytesIO()
    hmm.write(stream, binary=True)
    return stream.getvalue()


def record(name):
    return next(record for record in records() if record.name == name)


@functools.cache
def store():
    return ProfileStore(hmms())


def profile_search(thresholds=None, **options):
    return ProfileSearch(store(), families(), thresholds, **options)


def search(records, thresholds=None, unreported=False):
    """The hits of some records with every profile."""
    every = range(len(families()))
    return profile_search(thresholds).search(records, [every] * len(records), unreported)


@functools.cache
def hits(name):
    """The hits of each golden record, under the thresholds of that name."""
    return search(records(), SETS[name])


def table(name, kind):
    """The bytes of hmmscan's table."""
    return (DATA / f"golden.{name}.{kind}").read_bytes()


def trailer(name, **changes):
    flag = "" if name == "default" else f"--{name} "
    tables = "--tblout tblout --domtblout domtblout --pfamtblout pfamtblout"
    values = {
        "program": "hmmscan",
        "version": "3.4 (Aug 2023)",
        "query": "golden.fa",
        "target": "golden.hmm",
        "options": f"hmmscan -o /dev/null {tables} {flag}--cpu 0 golden.hmm golden.fa ",
        "directory": "/golden",
        "date": "Sun Nov 22 13:15:26 2026",
    }
    return Trailer(**values | changes)
