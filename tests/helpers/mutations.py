"""Changes of bytes, as accidents and attackers make them."""

WORDS = [
    b">",
    b"\n>",
    b"\r\n",
    b"\0",
    b"\1",
    b"*",
    b"-",
    b"//\n",
    b"\x1f\x8b\x08",
    b"ID   ",
    b"\xef\xbb\xbf",
    b"# STOCKHOLM 1.0\n",
    b"LOCUS       ",
    b"\xff",
    b"\t",
    b"nan",
    b"-1",
    b"1e999",
    b"null",
    b"[]",
    b"{}",
    b"\xe2\x80\xa8",
    b"99999999999",
    b"HMMER3/f",
    b"LENG  ",
    b"0",
    b'""',
]


def mutated(data, rng):
    """The bytes with one to four changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        size = len(data)
        at, n = rng.randrange(size + 1), rng.choice((1, 1, 2, 8, 60, 500))
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + n] = rng.randbytes(min(n, 60))
        elif kind == 1:
            del data[at : at + n]
        elif kind == 2:
            data[at:at] = rng.choice(WORDS)
        elif kind == 3:
            data[at:at] = data[at : at + n]
        elif kind == 4 and size:
            data[rng.randrange(size)] ^= 1 << rng.randrange(8)
        elif kind == 5:
            del data[at:]
        elif size:
            other = rng.randrange(size)
            data[at : at + n] = data[other : other + n]
    return bytes(data)
