"""JSON Lines: one object for each query, with its hits and their domains.

Each line states what wrote it, so that files may be joined. Numbers are unrounded. Queries without hits
have a line too. A byte 0xNN that is not UTF-8 is the escape \\udcNN.
"""

import json
from typing import BinaryIO

from .. import __version__
from .writer import Writer

SCHEMA = 1
_HIT = ("evalue", "score", "bias", "source", "included")
_DOMAIN = (
    *("c_evalue", "i_evalue", "score", "bias", "hmm_from", "hmm_to"),
    *("ali_from", "ali_to", "env_from", "env_to", "accuracy", "included"),
)


class JsonLinesWriter(Writer):
    """One line for each query; a run that failed ends in a line `{"incomplete": why}`.

    `model` is the model's name; `SCHEMA` counts changes of the fields.
    """

    def __init__(self, out: str | BinaryIO, model: str = "") -> None:
        super().__init__(out)
        about = {"schema": SCHEMA, "program": "pfamnet-scan", "version": __version__, "model": model}
        self._about = about

    def _rows(self, record, hits):
        fields = self._about | {
            "query": record.name,
            "accession": record.accession,
            "description": record.description,
            "length": len(record.sequence),
            "hits": [_hit(hit) for hit in hits if hit.reported],
        }
        return _line(fields)

    def _mark(self, reason):
        return _line({"incomplete": reason})


def _hit(hit):
    fields = {
        "name": hit.target_name,
        "accession": hit.target_accession,
        "description": hit.target_description,
        "length": hit.target_length,
    }
    fields |= {name: getattr(hit, name) for name in _HIT}
    domains = [{name: getattr(domain, name) for name in _DOMAIN} for domain in hit.reported_domains]
    return fields | {"domains": domains}


def _line(fields):
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # a byte that is not UTF-8 is an escape: JSON, from which "surrogateescape" makes the byte again
    return text.encode("utf-8", "backslashreplace") + b"\n"
