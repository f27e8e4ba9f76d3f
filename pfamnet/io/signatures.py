"""How files begin, as far as that tells what they hold."""

PROFILES = (b"HMMER", b"H3Z\n", b"\xba\xed\xed\xe8", b"\xf3\xe6\xb3\xe8", b"\xf3\xe6\xe6\xb3")
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
