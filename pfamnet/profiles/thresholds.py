"""What is reported and included: hmmscan's options, and their tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, inf

from ..errors import PfamnetError
from ..families import Family
from ..hits import Hit

_CUTOFF_FIELDS = {"gathering": ("GA", "ga"), "trusted": ("TC", "tc"), "noise": ("NC", "nc")}


@dataclass(frozen=True)
class Thresholds:
    """What hmmscan's options of the same names set, with its defaults.

    E, T, domE, domT          reporting; a score (T) goes before an E-value
    incE, incT, incdomE, incdomT   inclusion
    bit_cutoffs               None, 'gathering', 'trusted' or 'noise': take both from the profile
    Z, domZ                   comparisons, and significant families, counted for E-values;
                              None: all families, and those reported for the query
    seed                      0 for an arbitrary one
    F1, F2, F3, bias_filter   the filters; `--max` is 1, 1, 1, False
    null2                     correct scores for composition
    """

    E: float = 10.0
    T: float | None = None
    domE: float = 10.0
    domT: float | None = None
    incE: float = 0.01
    incT: float | None = None
    incdomE: float = 0.01
    incdomT: float | None = None
    bit_cutoffs: str | None = None
    Z: float | None = None
    domZ: float | None = None
    seed: int = 42
    F1: float = 0.02
    F2: float = 1e-3
    F3: float = 1e-5
    bias_filter: bool = True
    null2: bool = True

    @property
    def inclusion_by_score(self) -> bool:
        """Whether inclusion goes by score; hmmscan then sorts by score."""
        return self.incT is not None or self.bit_cutoffs is not None

    def unfiltered(self) -> "Thresholds":
        """The same with every filter off, as hmmscan's --max."""
        return replace(self, F1=1.0, F2=1.0, F3=1.0, bias_filter=False)


def check_cutoffs(families: Sequence[Family], bit_cutoffs: str | None) -> None:
    """Raise PfamnetError where a family lacks the cutoffs that are asked for."""
    if bit_cutoffs is None:
        return
    label, field = _CUTOFF_FIELDS[bit_cutoffs]
    lacking = [family for family in families if getattr(family, field) is None]
    if lacking:
        others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        first = f"family {lacking[0].accession} {lacking[0].name}{others}"
        raise PfamnetError(f"{first}: no {label} bit thresholds in the model")


def reported_from(family: Family, thresholds: Thresholds) -> float:
    """The bits from which sequences are reported for a family; minus infinity if E-values decide."""
    if thresholds.bit_cutoffs is not None:
        return getattr(family, _CUTOFF_FIELDS[thresholds.bit_cutoffs][1])[0]
    return -inf if thresholds.T is None else thresholds.T


def in_order(hits: Iterable[Hit], thresholds: Thresholds) -> list[Hit]:
    """Hits in hmmscan's order: by score if inclusion goes by score, else by E-value; the best first."""
    by_score = thresholds.inclusion_by_score
    first = lambda hit: hit.domains[0].ali_from if hit.domains else 0
    return sorted(hits, key=lambda hit: (-hit.score if by_score else hit.log_p, hit.target_name, first(hit)))


def with_cutoffs(hit: Hit, family: Family, thresholds: Thresholds) -> Hit:
    """A hit whose scores are lower than in its search, and what still passes the family's own cutoffs."""
    if thresholds.bit_cutoffs is None:
        return hit
    sequence, least = getattr(family, _CUTOFF_FIELDS[thresholds.bit_cutoffs][1])
    passes = hit.score >= sequence
    domains = tuple(
        domain if passes and domain.score >= least else replace(domain, reported=False, included=False)
        for domain in hit.domains
    )
    return replace(hit, domains=domains, reported=hit.reported and passes, included=hit.included and passes)


def with_Z(hit: Hit, thresholds: Thresholds) -> Hit:
    """A hit of a search that counted fewer comparisons than its E-value does, and whether it still passes."""
    reported = passes(hit.evalue, hit.score, thresholds)
    included = reported and hit.included and passes(hit.evalue, hit.score, thresholds, "inc")
    return replace(hit, reported=reported, included=included)


def with_domZ(hit: Hit, domZ: float, thresholds: Thresholds) -> Hit:
    """The hit with conditional E-values that count `domZ` families, and what still passes with these.

    hmmscan counts the families that it reports for the query, which are known at the end. The hit
    must come from a search with a `domZ` of at most that.
    """
    domains = []
    for domain in hit.domains:
        c_evalue = exp(domain.log_p) * domZ
        reported = domain.reported and passes(c_evalue, domain.score, thresholds, "dom")
        included = domain.included and hit.included and passes(c_evalue, domain.score, thresholds, "incdom")
        domains.append(replace(domain, c_evalue=c_evalue, reported=reported, included=included))
    included = hit.included and passes(hit.evalue, hit.score, thresholds, "inc")
    return replace(hit, domains=tuple(domains), included=included)


def passes(evalue: float, score: float, thresholds: Thresholds, kind: str = "") -> bool:
    """Test against -E or -T, --domE or --domT, and so on (`kind`: "", "dom", "inc", "incdom").

    Profiles' own cutoffs were applied by the search, or by `with_cutoffs`.
    """
    if thresholds.bit_cutoffs is not None:
        return True
    least = getattr(thresholds, kind + "T")
    return evalue <= getattr(thresholds, kind + "E") if least is None else score >= least
