"""Statistics of a train set before anything is learned from it: tables, and a page with pictures."""

from importlib.util import find_spec

from ..errors import PfamnetError

for package in ("pandas", "matplotlib"):
    if find_spec(package) is None:
        raise PfamnetError(f"{package} is not installed: pip install 'pfamnet[explore]'")
