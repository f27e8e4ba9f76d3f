"""Text files that may be gzipped, read line by line, with errors a user can act on."""

import gzip
import os
import zlib

from pfamnet.errors import PfamnetError

GZIP_MAGIC = b"\x1f\x8b"


def numbered_lines(path):
    """Yield (line number from 1, line without its end) of a text file, gzipped or not.

    Whether the file is gzipped is seen from its first bytes, not from its name.
    CR LF ends and a byte order mark are taken off.

    Raises PfamnetError where the file is missing, a directory, not readable, not
    UTF-8, or its gzip data are damaged or end too early; the message names the file
    and the last line that was read whole.
    """
    number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.peek(2)[:2] == GZIP_MAGIC
            with gzip.GzipFile(fileobj=raw) if packed else raw as source:
                for number, line in enumerate(source, 1):
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    yield number, text.rstrip("\r\n")
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise PfamnetError(f"{path}: line {number + 1}: damaged gzip data") from None
        raise PfamnetError(f"{path}: {os.strerror(error.errno or 5)}") from None
    except EOFError:
        raise PfamnetError(
            f"{path}: line {number + 1}: the gzip data end too early (truncated file)"
        ) from None
    except zlib.error:
        raise PfamnetError(f"{path}: line {number + 1}: damaged gzip data") from None
    except UnicodeDecodeError:
        raise PfamnetError(f"{path}: line {number}: not UTF-8 text") from None
