"""GFF3 (specification 1.26, `##gff-version 3.1.26`): one feature for each domain.

ID, Name, signature_desc, Target, status and date are InterProScan's attributes; the others are
ours. An ID is made of the query's name, not of its place in the file, so that files may be joined.
`status` is T if a domain is included, else ?. Start and end are the alignment's; the score is the
independent E-value.
"""

import re
import time

from ..families import accession_key
from ..hits import reported
from .writer import Writer, as_bytes

_SEQID = re.compile(rb"[^a-zA-Z0-9.:^*$@!+_?\-|]")
_TARGET = re.compile(rb"[\x00-\x20%;=&,\x7f]")
_ATTRIBUTE = re.compile(rb"[\x00-\x1f%;=&,\x7f]")


class Gff3Writer(Writer):
    """Features of every reported domain, under a `##sequence-region` of each query.

    Those of a translated query are on the nucleotides, and name the open reading frame.

    `date` is like "22-11-2026", or None to omit the attribute.
    """

    def __init__(self, out, date: str | None = None) -> None:
        super().__init__(out, b"##gff-version 3.1.26\n")
        self._date, self._region = date, b""

    def go_on(self, queries, size, checksum):
        super().go_on(queries, size, checksum)
        for line in self.kept_lines() if size else ():
            self._region = line if line.startswith(b"##sequence-region") else self._region

    def _rows(self, record, hits):
        domains = reported(hits)
        if not domains:
            return b""
        origin = record.origin
        name, length = (origin.name, origin.length) if origin else (record.name, len(record.sequence))
        region = b"##sequence-region %s 1 %d\n" % (escaped(name, _SEQID), length)
        if origin and region == self._region:
            region = b""
        self._region = region or self._region
        match = b"match$" + escaped(record.name, _SEQID)
        lines = [self._feature(record, b"%s_%d" % (match, k), *found) for k, found in enumerate(domains, 1)]
        return region + b"".join(lines)

    def _feature(self, record, identity, hit, domain):
        origin, start, end = record.origin, domain.ali_from, domain.ali_to
        name, strand = (origin.name, origin.strand) if origin else (record.name, "+")
        if origin:
            start, end = origin.place(start, end)
        known = accession_key(hit.target_accession) or hit.target_name
        target = b"%s %d %d" % (escaped(known, _TARGET), domain.hmm_from, domain.hmm_to)
        pairs = [
            ("Name", known),
            ("signature_desc", hit.target_description),
            ("status", "T" if domain.included else "?"),
            ("date", self._date),
            ("family", hit.target_name),
            ("bits", f"{domain.score:.1f}"),
            ("env_start", str(domain.env_from)),
            ("env_end", str(domain.env_to)),
            ("found_by", hit.source),
            ("included", str(domain.included).lower()),
            ("frame", record.name if origin else ""),
        ]
        attributes = [as_bytes(key) + b"=" + escaped(text, _ATTRIBUTE) for key, text in pairs if text]
        attributes.insert(0, b"ID=%s_%d_%d" % (identity, domain.ali_from, domain.ali_to))
        attributes.insert(2, b"Target=" + target)
        places = escaped(name, _SEQID), start, end, domain.i_evalue, strand.encode()
        return b"%s\tpfamnet\tprotein_match\t%d\t%d\t%.2g\t%s\t.\t%s\n" % (*places, b";".join(attributes))


def escaped(text: str, pattern: re.Pattern) -> bytes:
    """UTF-8 with what GFF3 does not allow as %XX."""
    return pattern.sub(lambda match: b"%%%02X" % match[0][0], as_bytes(text))


def today() -> str:
    """The date as InterProScan writes it."""
    return time.strftime("%d-%m-%Y")
