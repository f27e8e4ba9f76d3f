"""Snakemake wrapper for pfamnet-scan."""

__license__ = "BSD-3-Clause"

from shlex import quote

from snakemake.shell import shell

REPORTS = ("tsv", "text", "html")
TABLES = {
    "domtblout": "--domtblout",
    "tblout": "--tblout",
    "pfamtblout": "--pfamtblout",
    "gff3": "--gff3",
    "json_lines": "--json-lines",
}

outputs = dict(snakemake.output.items())
unknown = set(outputs) - {*REPORTS, *TABLES}
if unknown or len(outputs) != len(snakemake.output):
    raise ValueError(f"Outputs need one of these names: {', '.join([*REPORTS, *TABLES])}.")
reports = [name for name in REPORTS if name in outputs]
if len(reports) > 1:
    raise ValueError(f"One run writes only one of {', '.join(REPORTS)}.")

main = f"--report {reports[0]} -o {quote(outputs[reports[0]])}" if reports else "-o /dev/null"
tables = " ".join(f"{option} {quote(outputs[name])}" for name, option in TABLES.items() if name in outputs)
extra = snakemake.params.get("extra", "")
log = snakemake.log_fmt_shell(stdout=True, stderr=True)

model, proteins = snakemake.input.get("model", []), snakemake.input.proteins
listed = lambda files: [files] if isinstance(files, str) else list(files)
files = " ".join(map(quote, [*listed(model), *listed(proteins)]))

shell("pfamnet-scan --cpu {snakemake.threads} {extra} {main} {tables} {files} {log}")
