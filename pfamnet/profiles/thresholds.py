"""What is reported and included once all the families of a query are known.

hmmscan's conditional E-value of a domain counts the families that it reports for
the query. Where a query is searched in parts, it can be worked out at the end alone.
"""

from dataclasses import replace
from math import exp


def with_domZ(hit, domZ, thresholds):
    """A hit whose domains' conditional E-values count `domZ` families.

    What passed with fewer of them may fall below the thresholds; the hit comes
    from a search with a `domZ` of at most that.
    """
    domains = []
    for domain in hit.domains:
        c_evalue = exp(domain.log_p) * domZ
        reported = domain.reported and passes(c_evalue, domain.score, thresholds, "dom")
        included = domain.included and passes(c_evalue, domain.score, thresholds, "incdom")
        domains.append(replace(domain, c_evalue=c_evalue, reported=reported, included=included and reported))
    included = hit.included and passes(hit.evalue, hit.score, thresholds, "inc")
    return replace(hit, domains=tuple(domains), included=included)


def passes(evalue, score, thresholds, kind):
    """Test against -E or -T, --domE or --domT, and so on (`kind`: "", "dom", "inc", "incdom").

    Profiles' own cutoffs were applied by the search, to scores not lower than these.
    """
    if thresholds.bit_cutoffs is not None:
        return True
    least = getattr(thresholds, kind + "T")
    return evalue <= getattr(thresholds, kind + "E") if least is None else score >= least
