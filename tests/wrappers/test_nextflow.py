"""The scripts of the Nextflow processes, run by bash; Nextflow itself is not."""

import gzip
import re
import subprocess

from workflow_engines import DATA, ROOT, WRAPPERS

NEXTFLOW = WRAPPERS / "nf-core"


def run_script(file, folder, path, **values):
    """Run the script of a file's only process, with values for its Groovy expressions."""
    text = re.search(r'script:\n.*?"""\n(.*?)"""', (NEXTFLOW / file).read_text(), re.DOTALL)[1]
    text = re.sub(r"\$\{?([\w.]+)\}?", lambda match: str(values[match[1]]), text.replace("\\\\", "\\"))
    command = ["bash", "-Ceuo", "pipefail", "-c", text]
    subprocess.run(command, cwd=folder, env={"PATH": path}, check=True, capture_output=True)


def scan(folder, path, name, proteins):
    (folder / name).write_bytes(proteins)
    values = {"task.cpus": 1, "args": "--cut_ga", "prefix": name.removesuffix(".fa"), "proteins": name}
    run_script("pfamnet/scan/main.nf", folder, path, model=DATA / "profiles.hmm", **values)


def test_the_joined_tables_are_those_of_one_scan(tmp_path, programs):
    proteins = (ROOT / "tests" / "data" / "golden.fa").read_bytes()
    records = re.findall(rb">[^>]+", proteins)
    assert b"".join(records) == proteins and len(records) == 37
    scan(tmp_path, programs, "one.fa", proteins)
    for number in range(1, 5):  # as splitFasta(by: 10) names chunks
        scan(tmp_path, programs, f"golden.{number}.fa", b"".join(records[10 * number - 10 : 10 * number]))
    (tmp_path / "joined").mkdir()
    for kind in ("tsv", "gff3"):
        chunks = [tmp_path / f"golden.{number}.{kind}.gz" for number in range(1, 5)]
        whole = f"joined/hits.{kind}.gz"
        (tmp_path / whole).write_bytes(b"".join(chunk.read_bytes() for chunk in chunks))
        run_script("example.nf", tmp_path, programs, joined=whole, **{"joined.name": f"hits.{kind}.gz"})
        found, expected = (tmp_path / f"{name}.{kind}.gz" for name in ("hits", "one"))
        assert gzip.decompress(found.read_bytes()) == gzip.decompress(expected.read_bytes())


def test_the_build_writes_a_model(tmp_path, programs):
    values = {"task.cpus": 1, "device": "cpu", "args": "--light-residues 70000", "table": "", "hmm": ""}
    values |= {"prefix": "families", "trainsets": DATA / "seeds.sto"}
    run_script("pfamnet/build/main.nf", tmp_path, programs, **values)
    assert (tmp_path / "families" / "model.json").exists()
