"""The lines around the rows of hmmscan 3.4's tables: headers and trailers."""

from dataclasses import dataclass

_RULE = {
    name: b"-" * size
    for name, size in (("name", 19), ("accession", 10), ("query", 20), ("length", 5), ("description", 21))
}
_DESCRIPTION = b"description of target"


@dataclass(frozen=True)
class Trailer:
    """What the last lines of hmmscan's tables say of the run.

    program, version  of the program that ran
    query, target     the sequence file and the database as the user gave them
    options           the command line
    directory, date   where and when (as C's ctime has it); None leaves the
                      line out, so that equal results make equal files
    """

    program: str
    version: str
    query: str
    target: str
    options: str
    directory: str | None = None
    date: str | None = None

    def lines(self, mode: str) -> bytes:
        """The trailer's bytes; ``mode`` is hmmscan's pipeline mode."""
        fields = [
            ("Program", self.program),
            ("Version", self.version),
            ("Pipeline mode", mode),
            ("Query file", self.query),
            ("Target file", self.target),
            ("Option settings", self.options),
            ("Current dir", self.directory),
            ("Date", self.date),
        ]
        # A line end in a file name must not make a line of its own.
        text = "".join(
            f"# {name + ':':<16} {' '.join(value.splitlines())}\n"
            for name, value in fields
            if value is not None
        )
        return f"#\n{text}# [ok]\n".encode("utf-8", "surrogateescape")


def domain_header(target: int, accession: int, query: int, query_accession: int) -> bytes:
    """The three header lines of domtblout for these column widths."""
    width = target + query + accession + query_accession + 14
    groups = b"#%*s %22s %40s %11s %11s %11s\n" % (
        width,
        b"",
        b"--- full sequence ---",
        b"-------------- this domain -------------",
        b"hmm coord",
        b"ali coord",
        b"env coord",
    )
    names = (
        b"#%-*s %-*s %5s %-*s %-*s %5s %9s %6s %5s %3s %3s %9s %9s %6s %5s %5s %5s %5s %5s %5s %5s %4s %s\n"
    ) % (
        target - 1,
        b" target name",
        accession,
        b"accession",
        b"tlen",
        query,
        b"query name",
        query_accession,
        b"accession",
        b"qlen",
        b"E-value",
        b"score",
        b"bias",
        b"#",
        b"of",
        b"c-Evalue",
        b"i-Evalue",
        b"score",
        b"bias",
        b"from",
        b"to",
        b"from",
        b"to",
        b"from",
        b"to",
        b"acc",
        _DESCRIPTION,
    )
    rules = b"#%*s %*s %5s %*s %*s %5s %s %s\n" % (
        target - 1,
        _RULE["name"],
        accession,
        _RULE["accession"],
        _RULE["length"],
        query,
        _RULE["query"],
        query_accession,
        _RULE["accession"],
        _RULE["length"],
        _rules(9, 6, 5, 3, 3, 9, 9, 6, 5, 5, 5, 5, 5, 5, 5, 4),
        _RULE["description"],
    )
    return groups + names + rules


def target_header(target: int, accession: int, query: int, query_accession: int) -> bytes:
    """The three header lines of tblout for these column widths."""
    groups = b"#%*s %22s %22s %33s\n" % (
        target + query + accession + query_accession + 2,
        b"",
        b"--- full sequence ----",
        b"--- best 1 domain ----",
        b"--- domain number estimation ----",
    )
    names = b"#%-*s %-*s %-*s %-*s %s %s\n" % (
        target - 1,
        b" target name",
        accession,
        b"accession",
        query,
        b"query name",
        query_accession,
        b"accession",
        b"  E-value  score  bias   E-value  score  bias   exp reg clu  ov env dom rep inc",
        _DESCRIPTION,
    )
    rules = b"#%*s %*s %*s %*s %s   %s %s\n" % (
        target - 1,
        _RULE["name"],
        accession,
        _RULE["accession"],
        query,
        _RULE["query"],
        query_accession,
        _RULE["accession"],
        _rules(9, 6, 5, 9, 6, 5),
        _rules(3, 3, 3, 3, 3, 3, 3, 3),
        _RULE["description"],
    )
    return groups + names + rules


def pfam_target_header(target: int) -> bytes:
    """What stands above the families of a query in pfamtblout."""
    return (
        b"# Sequence scores\n# ---------------\n#\n"
        b"# %-*s   bits   E-value   n   exp  bias    description\n"
        b"# %*s %s    %s\n"
    ) % (target - 1, b"name", target - 1, _RULE["name"], _rules(6, 9, 3, 5, 5), _RULE["description"])


def pfam_domain_header(target: int) -> bytes:
    """What stands above the domains of a query in pfamtblout."""
    return (
        b"\n# Domain scores\n# -------------\n#\n"
        b"# %-*s   bits   E-value   hit  bias"
        b" env-st env-en ali-st ali-en hmm-st hmm-en     description\n"
        b"# %*s %s      %s\n"
    ) % (
        target - 1,
        b" name",
        target - 1,
        _RULE["name"],
        _rules(6, 9, 5, 5, 6, 6, 6, 6, 6, 6),
        _RULE["description"],
    )


def _rules(*sizes):
    return b" ".join(b"-" * size for size in sizes)
