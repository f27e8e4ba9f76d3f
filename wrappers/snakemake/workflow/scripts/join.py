"""Join the tables of consecutive chunks: the first header, the rows of all in order, and the last trailer.

hmmscan's trailers name the files of a scan. That of the joined table names the files that one scan would have had.
"""

HEADERS = (b"#target_name\t", b"# target name ", b"#  ", b"#---")
TRAILER = b"#\n"

with open(snakemake.output[0], "wb") as joined:
    for number, path in enumerate(snakemake.input.tables):
        trailer = []
        with open(path, "rb") as table:
            for place, line in enumerate(table):
                if trailer or line == TRAILER:
                    trailer.append(line)
                elif number == 0 or not (place < 3 and line.startswith(HEADERS)):
                    joined.write(line)
    chunk = snakemake.input.tables[-1].removesuffix(snakemake.wildcards.table).encode()
    whole = snakemake.output[0].removesuffix(snakemake.wildcards.table).encode()
    for line in trailer:
        line = line.replace(chunk + b"fa", snakemake.params.proteins.encode())
        joined.write(line.replace(chunk, whole))
