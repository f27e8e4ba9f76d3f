"""The Python API: what `pfamnet-scan` and the web app are built on.

`pfamnet.scan` and `pfamnet.Model` come from here; docs/api.md shows their use.
"""

from ..output.rows import ProteinDomain
from .model import Model, scan
from .results import Protein
from .scans import Scan

__all__ = ["Model", "Protein", "ProteinDomain", "Scan", "scan"]
