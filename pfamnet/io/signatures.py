"""How files begin, as far as that tells what they hold."""

_H3M = tuple(bytes((version, 0xED, 0xED, 0xE8)) for version in b"\xb6\xb7\xb8\xb9\xb0\xba")  # 3/a to 3/f
PROFILES = (b"HMMER", b"H3Z\n", *_H3M)
# what hmmpress writes beside a `.h3m`: MSV filters, the rest of each profile, an index of Easel's
PRESSED = (b"\xf3\xe6\xe6\xb3", b"\xf3\xf0\xe6\xb3", b"\xd3\xd3\xc9\xb3")
SEQUENCES = (b">", b"ID   ", b"LOCUS   ")
ALIGNMENTS = (b"# STOCKHOLM", b"CLUSTAL")
# compressed data that are read
GZIP = b"\x1f\x8b"
COMPRESSED = {GZIP: "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
# compressed data that are recognised, so that a message names them, and not read
OTHER_COMPRESSED = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\3\4": "zip",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
