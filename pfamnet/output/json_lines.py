"""JSON Lines: one object for each query, with its hits and their domains.

Numbers are unrounded. Queries without hits have a line too. A byte 0xNN that is not UTF-8 is the
escape \\udcNN.
"""

import json

from .writer import Writer

_HIT = ("evalue", "score", "bias", "source", "included")
_DOMAIN = (
    *("c_evalue", "i_evalue", "score", "bias", "hmm_from", "hmm_to"),
    *("ali_from", "ali_to", "env_from", "env_to", "accuracy", "included"),
)


class JsonLinesWriter(Writer):
    """One line for each query; a run that failed ends in a line `{"incomplete": why}`."""

    def _rows(self, record, hits):
        fields = {
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
