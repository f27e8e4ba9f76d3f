"""pfamnet: protein domains, proposed by a network and placed by profile HMMs.

`scan`, `Model` and `PfamnetError` are the Python API (docs/api.md). Each is imported when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False  # `typing` would be imported for this name alone; type checkers take it for true
if TYPE_CHECKING:
    from .api import Model, scan
    from .errors import PfamnetError

__version__ = "1.0.0"
__all__ = ["Model", "PfamnetError", "scan"]


class _Package(ModuleType):
    """Keeps the function `scan`: importing the package `pfamnet.scan` would put that in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "scan" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(".errors" if name == "PfamnetError" else ".api", __name__)
    globals()[name] = found = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
