"""The one exception that means "the user's input is at fault", and the system's own words."""


def reason(error: OSError) -> str:
    """Why the system refused something, as in "no such file or directory"."""
    return (error.strerror or str(error)).lower()


class PfamnetError(Exception):
    """A mistake in what the user gave: one line that names the file and the record or line; exit status 1."""


def os_reason(error: OSError) -> str:
    """What the system refused, and for which file if that is known."""
    return f"{error.filename}: {reason(error)}" if error.filename else reason(error)
