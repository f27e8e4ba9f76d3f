"""The benchmarks of choices: candidates, heads, frozen layers, a split by row."""

import json

import candidates
import frozen_layers
import golden
import heads
import numpy as np
import pandas
import pytest
import row_split
import scores
import synthetic
import untrained
import words
from click.testing import CliRunner
from conftest import ROOT

MODEL, EXAMPLES = ROOT / "data" / "pfam-3183", ROOT / "data" / "examples.fa"


def done(main, *arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_split_by_row_has_each_sequence_once(tmp_path):
    synthetic.write_labelled(tmp_path / "domains.fa", families=4, rows=30)
    done(row_split.main, "--top", 3, tmp_path / "split", tmp_path / "domains.fa")
    folds = {fold: pandas.read_csv(next((tmp_path / "split" / fold).iterdir())) for fold in row_split.FOLDS}
    rows = pandas.concat(folds.values())
    assert rows.sequence.is_unique and len(rows) == 90 and rows.family_accession.nunique() == 3
    assert len(folds["train"]) > 50 and len(folds["dev"]) and len(folds["test"])


def test_a_split_by_cluster_keeps_similar_rows_together(tmp_path):
    rng = np.random.default_rng(6)
    drawn = lambda length: "".join(rng.choice(list("ADEFGHIKLMNPQRSTVWY"), length))
    starts = [drawn(60) for _ in range(40)]
    records = [(f"s{i}_{j} PF00001", start + drawn(9)) for i, start in enumerate(starts) for j in range(3)]
    (tmp_path / "domains.fa").write_text(synthetic.fasta(records))
    done(row_split.main, "--by", "cluster", tmp_path / "split", tmp_path / "domains.fa")
    assert sorted(fold.name for fold in (tmp_path / "split").iterdir()) == ["test", "train"]
    read = lambda fold: pandas.read_csv(next((tmp_path / "split" / fold).iterdir())).sequence
    train, test = ({sequence[:60] for sequence in read(fold)} for fold in ("train", "test"))
    assert len(read("train")) + len(read("test")) == 120 and not train & test and 0 < len(test) <= 4


def test_candidates_are_counted_by_a_threshold_for_all_proteins(tmp_path):
    table, out = tmp_path / "domains.tsv", tmp_path / "out.json"
    table.write_text("protein\tstart\tend\taccession\nP22216\t201\t466\tPF00069\nC5DVG6\t411\t866\tPF00275\n")
    common = "--model", MODEL, "--proteins", EXAMPLES, "--domains", table, "--first", 5
    done(candidates.main, *common, "--out", out)
    found = json.loads(out.read_text())
    assert found["domains"] == 2 and all(row["count"] == 2 for row in found["first"].values())
    assert found["candidates"]["99.8%"]["mean"] <= found["default"]["mean"] and found["default"]["count"] == 2


def test_variants_of_words_are_compared_with_none(tmp_path, monkeypatch):
    monkeypatch.setattr(
        words, "VARIANTS", {"in use": {}, "fewer": {"bits": 12.0, "letters": 3}, "no words": None}
    )
    model, proteins = untrained.write_model(tmp_path / "model"), golden.DATA / "golden.fa"
    hits = zip(golden.records(), golden.hits("cut_ga"), strict=True)
    rows = [
        f"{r.name}\t1\t9\t{golden.families()[hit.family].accession}\n" for r, some in hits for hit in some
    ]
    (tmp_path / "domains.tsv").write_text("protein\tstart\tend\taccession\n" + "".join(rows))
    common = "--model", model, "--proteins", proteins, "--domains", tmp_path / "domains.tsv", "--skip", 0
    done(words.main, *common, "--out", tmp_path / "out.json")
    used, fewer, none = json.loads((tmp_path / "out.json").read_text())["variants"].values()
    assert used["million_words"] >= fewer["million_words"] and used["64"] >= fewer["64"] > 0
    assert used["98.0%"] <= none["98.0%"] and none["ms"] is none["64"] is None


@pytest.mark.slow
def test_heads_and_frozen_layers_are_compared_on_a_work_directory(base, labelled, quick, tmp_path):
    options = ["--base", base, "--esm-residues", 20_000, "--batch", 2048, "--crop", 64, labelled]
    for step in (["--until", "data"], ["--resume", "--until", "training"]):
        assert quick(*step, *options, out=tmp_path / "made")[0] == 0
    work = tmp_path / "made.work"
    done(heads.main, work, "--name", "made", "--out", tmp_path / "heads.json")
    found = json.loads((tmp_path / "heads.json").read_text())
    assert found["families"] <= 8 and {head["all"]["of"] for head in found["heads"].values()} == {
        found["domains"]
    }
    assert sum(row["of"] for row in found["heads"]["as trained"]["by_rows"].values()) == found["domains"]
    done(frozen_layers.main, work, "--steps", 1, "--out", tmp_path / "frozen.json")
    rows = json.loads((tmp_path / "frozen.json").read_text())["rows"]
    assert [(row["frozen"], row["cached"]) for row in rows] == [(0, False), (1, False), (1, True)]
    assert all(row["residues_per_s"] > 0 for row in rows)


def test_scores_are_compared_at_the_same_evalues(tmp_path):
    table, out = tmp_path / "domains.tsv", tmp_path / "out.json"
    table.write_text("protein\tstart\tend\taccession\nP22216\t201\t466\tPF00069\nP0AEC4\t395\t504\tPF02518\n")
    common = "--model", MODEL, "--train", EXAMPLES, "--proteins", EXAMPLES, "--domains", table
    common += "--first", 5, "--decoys", 640
    done(scores.main, *common, "--out", out)
    found = json.loads(out.read_text())
    assert found["proteins"] == 2 and len(found["scores"]) == 6 + len(scores.REST)
    for row in found["scores"].values():
        counts = [share["count"] for share in row["evalues"].values()]
        assert counts == sorted(counts) and {share["of"] for share in row["evalues"].values()} == {1}
