"""Join the tables of consecutive chunks: the first header, the rows of all in order, and the last trailer.

hmmscan's trailers name the files of a scan. That of the joined table names those of one scan of all proteins.
"""

from os.path import basename

HEADERS = (b"#target_name\t", b"# target name ", b"#  ", b"#---", b"##gff-version ")
TRAILER = b"#\n"

headed = None  # the table whose header was written; one without a query has none
with open(snakemake.output[0], "wb") as joined:
    for path in snakemake.input.tables:
        trailer = []
        with open(path, "rb") as table:
            for place, line in enumerate(table):
                if trailer or line == TRAILER:
                    trailer.append(line)
                elif place < 3 and line.startswith(HEADERS):
                    headed = headed or path
                    if headed == path:
                        joined.write(line)
                else:
                    joined.write(line)

    ending = snakemake.wildcards.table
    chunk, whole = path.removesuffix(ending), snakemake.output[0].removesuffix(ending)
    renamed = [(f"{chunk}fa", snakemake.params.proteins), (chunk, whole)]
    renamed += [(basename(old), basename(new)) for old, new in renamed]
    for line in trailer:
        for old, new in renamed:
            line = line.replace(old.encode(), new.encode())
        joined.write(line)
