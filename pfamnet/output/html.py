"""One self-contained web page of a scan: a picture of each protein, a table of the hits.

The page is a stream: a head (`page/`) with all styles and scripts, then one line of JSON for each
protein, which the scripts draw when it is looked at. Nothing is loaded, and no text of a sequence
file becomes markup: `<`, `>`, `&` and all that is not ASCII are JSON escapes, and a content
security policy permits only the script whose digest it names.
"""

import base64
import hashlib
import html
import json
import re
import string
from collections.abc import Sequence
from importlib.resources import files
from operator import attrgetter
from typing import BinaryIO

from ..families import Family
from ..hits import is_strong
from ..profiles.clans import best_of_clans, without
from .writer import Writer

FOLDER = files(__package__) / "page"
SCRIPTS = ("picture.js", "page.js", "export.js", "start.js")
INCLUDED, STRONG, BEST = 1, 2, 4  # of a domain
END = b"</script>\n</body>\n</html>\n"
_LONE = re.compile("[\ud800-\udfff]")  # bytes that are not UTF-8, as Python keeps them
_ENDS = attrgetter("ali_from", "ali_to", "env_from", "env_to", "hmm_from", "hmm_to")
_INERT = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})


class HtmlWriter(Writer):
    """The page.

    `title` says what was scanned, `about` has (what, value) pairs for the head, `families` are the model's.
    A domain is strong if it reaches its family's gathering cutoffs or, where these do not apply, is
    included; the page begins with the strong domains, and of those of a clan with the best. An
    incomplete page says so in red at its top: its data lack their last line or have one that gives the
    reason.
    """

    def __init__(self, out: str | BinaryIO, title: str, about, families: Sequence[Family]) -> None:
        super().__init__(out, page_head(title, about))
        self._families = families
        self._known: set[int] = set()  # families that stand in the page already

    def _rows(self, record, hits):
        shown = [hit for hit in hits if hit.reported]
        lines = [self._family(hit) for hit in shown if hit.family not in self._known]
        found = [_hit(hit, kinds) for hit, kinds in zip(shown, self._kinds(shown))]
        protein = record.name, record.description, len(record.sequence), found
        return b"".join(lines) + line("p", *protein)

    def _kinds(self, hits):
        """For each hit, what its reported domains are: the sum of `INCLUDED`, `STRONG` and `BEST`."""
        weak = [
            {place for place, domain in enumerate(hit.domains) if not is_strong(hit, domain, ga)}
            for hit, ga in ((hit, self._families[hit.family].ga) for hit in hits)
        ]
        strong = best_of_clans([without(*pair) for pair in zip(hits, weak)], self._families)
        every = best_of_clans(hits, self._families)
        for number, hit in enumerate(hits):
            kinds = []
            for place, domain in enumerate(hit.domains):
                rivals = every if place in weak[number] else strong
                best = rivals[number].reported and rivals[number].domains[place].reported
                kind = STRONG * (place not in weak[number]) + BEST * best + INCLUDED * domain.included
                kinds += [kind] if domain.reported else []
            yield kinds

    def _family(self, hit):
        """What the page has to know of a family, the first time it is found."""
        self._known.add(hit.family)
        return line(
            "f",
            *(hit.family, hit.target_name, hit.target_accession, self._families[hit.family].clan),
            *(hit.target_length, hit.target_description),
        )

    def _end(self):
        return line("end", self._queries, len(self._known)) + END

    def _mark(self, reason):
        # of a row that was cut off the mark must not become the end
        return b"\n" + line("incomplete", reason)


def page_head(title: str, about) -> bytes:
    """The page up to the data, all ASCII."""
    script = "".join((FOLDER / name).read_text(encoding="ascii") for name in SCRIPTS)
    pairs = "\n".join(f"<dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd>" for what, value in about)
    fields = {
        "title": html.escape(f"{title} - domains found by pfamnet"),
        "heading": f"Domains of {html.escape(title)}",
        "about": pairs,
        "script": script,
        "style": (FOLDER / "page.css").read_text(encoding="ascii"),
        "digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    page = string.Template((FOLDER / "page.html").read_text(encoding="ascii")).substitute(fields)
    return page.encode("ascii", "xmlcharrefreplace")


def line(*fields) -> bytes:
    """A line of data: JSON that no browser takes for markup, wherever it stands."""
    fields = [_LONE.sub("\ufffd", field) if isinstance(field, str) else field for field in fields]
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).translate(_INERT).encode() + b"\n"


def _hit(hit, kinds):
    domains = [
        [*_ENDS(domain), _rounded(domain.i_evalue), round(domain.score, 1), kind]
        for domain, kind in zip(hit.reported_domains, kinds)
    ]
    return [hit.family, hit.source, _rounded(hit.evalue), round(hit.score, 1), domains]


def _rounded(evalue):
    """As the tables have it."""
    return float(f"{evalue:.2g}")
