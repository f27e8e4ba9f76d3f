"""Text files that may be gzipped, read line by line, with errors a user can act on."""

import gzip
import zlib

from pfamnet.errors import PfamnetError

GZIP_MAGIC = b"\x1f\x8b"


def numbered_lines(path, lenient=False):
    """Yield (line number from 1, line without its end) of a text file, gzipped or not.

    Whether the file is gzipped is seen from its first bytes, not from its name.
    CR LF ends and a byte order mark are taken off. With `lenient`, lines that are
    not UTF-8 are read as Latin-1 (Pfam-A.seed has such among its references).

    Raises PfamnetError where the file is missing, a directory, not readable, not
    UTF-8, or its gzip data are corrupt or truncated; the message names the file
    and the last line that was read whole.
    """
    number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.peek(2)[:2] == GZIP_MAGIC
            with gzip.GzipFile(fileobj=raw) if packed else raw as source:
                for number, line in enumerate(source, 1):
                    yield number, _decoded(line, number, lenient).rstrip("\r\n")
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise PfamnetError(f"{path}: line {number + 1}: corrupt gzip data") from None
        raise PfamnetError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except EOFError:
        raise PfamnetError(f"{path}: truncated gzip data after line {number}") from None
    except zlib.error:
        raise PfamnetError(f"{path}: line {number + 1}: corrupt gzip data") from None
    except UnicodeDecodeError:
        raise PfamnetError(f"{path}: line {number}: not UTF-8 text") from None


def _decoded(line, number, lenient):
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        if not lenient:
            raise
        return line.decode("latin-1")


def find_columns(where, header, wanted, required):
    """Map column names to their positions in a header line.

    wanted    {our name: other names it may go by}; case, and a '#' before the first
              name, do not matter, and our own name wins over the others
    required  those of our names that must be found

    Raises PfamnetError, beginning with `where`, for a required column not there.
    """
    names = [name.strip().lstrip("#").strip().lower() for name in header]
    columns = {}
    for ours, others in wanted.items():
        found = [name for name in (ours, *others) if name in names]
        if found:
            columns[ours] = names.index(found[0])
    for ours in required:
        if ours not in columns:
            raise PfamnetError(f"{where}: no column named '{ours}' in the header")
    return columns
