"""Whole runs of pfamnet-scan against the tables that hmmscan 3.4 made."""

import golden
import pytest
from scanning import LIBRARY, PROTEINS, rows, scan_here

KINDS = ("domtblout", "tblout", "pfamtblout")


def without_trailer(text):
    return text[: text.rindex(b"#\n# Program:")]


@pytest.mark.parametrize("name", golden.SETS)
@pytest.mark.parametrize("cpu", (1, 3))
def test_tables_of_the_profiles_mode_are_hmmscans(name, cpu, tmp_path, capfd):
    arguments = [word for kind in KINDS for word in (f"--{kind}", tmp_path / kind)]
    options = [] if name == "default" else [f"--{name}"]
    assert scan_here(*arguments, *options, "--cpu", cpu, LIBRARY, PROTEINS) == 0
    for kind in KINDS:
        ours, theirs = (tmp_path / kind).read_bytes(), golden.table(name, kind)
        assert without_trailer(ours) == without_trailer(theirs)
        heads = [
            [line[:17] for line in text[len(without_trailer(text)) :].splitlines()] for text in (ours, theirs)
        ]
        assert heads[0] == heads[1]
    assert capfd.readouterr().err == ""


def test_a_split_and_shuffled_file_gives_the_same_rows(tmp_path, capfdbinary):
    whole = PROTEINS.read_bytes().split(b">")[1:]
    assert scan_here("--no-header", LIBRARY, PROTEINS) == 0
    expected = sorted(rows(capfdbinary.readouterr().out))
    found = []
    for part, texts in enumerate((whole[::2][::-1], whole[1::2][::-1])):
        path = tmp_path / f"{part}.fa"
        path.write_bytes(b"".join(b">" + text for text in texts))
        assert scan_here("--no-header", "--cpu", part + 1, LIBRARY, path) == 0
        found += rows(capfdbinary.readouterr().out)
    assert sorted(found) == expected
