"""The one exception that means "the user's input is at fault", and the system's own words."""


def reason(error: OSError) -> str:
    """Why the system refused something, as in "no such file or directory"."""
    return (error.strerror or str(error)).lower()


class PfamnetError(Exception):
    """A mistake in what the user gave: reported as one line, exit status 1.

    The message names the file and, where there is one, the record or line:
    ``FILE: record 17 'name': illegal character '1' at position 203``.
    """


def os_reason(error: OSError) -> str:
    """What the system refused, and for which file if that is known."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{reason(error)}"
