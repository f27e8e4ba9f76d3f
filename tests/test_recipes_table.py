"""benchmarks/recipes.py: what stands in model directories, and its table beside the original's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import recipes  # noqa: E402
import tables  # noqa: E402

OPTIONS = {
    "trainsets": ["/somewhere/seed split", "proteins.fa.gz"],
    "recipe": "specialist",
    "hmm": "/somewhere/p.h3m",
    "base": "facebook/esm2_t6_8M_UR50D",
    "power": 0.0,
    "emit": 0,
    "cut_domains": True,
    "holdout": 0.1,
    "seed": 42,
    "esm_residues": 3_500_000,
    "batch": 2048,
}


@pytest.fixture
def model(tmp_path):
    """What the benchmark reads of a model, and no more."""
    folder = tmp_path / "made"
    folder.mkdir()
    dev = {"regions": 200, "accuracy": 0.905, "family_mean": 0.8, "families": 90, "macro_f1": 0.8123}
    networks = {"light": {"dev": {"regions": 200, "accuracy": 0.25, "family_mean": 0.2}}, "esm": {"dev": dev}}
    plan = {"recipe": "specialist", "families": 1000, "rows": 91_176, "instead": []}
    (folder / "model.json").write_text(
        json.dumps(
            {
                "networks": networks,
                "provenance": {
                    "options": OPTIONS,
                    "plan": plan,
                    "machine": {"cpu": "C", "threads": 1, "gpu": None},
                },
            }
        )
    )
    (folder / "training.tsv").write_text(
        "network\tstep\tresidues\tseconds\nesm\t5\t1000\t60\nesm\t9\t2000\t90\nlight\t1\t500\t30\n"
    )
    return folder


def test_a_model_says_what_it_took_and_is(model):
    row = recipes.collected(model)
    assert (row["recipe"], row["families"], row["rows"]) == ("specialist", 1000, 91_176)
    esm = row["networks"]["esm"]
    assert (esm["minutes"], esm["residues"], esm["macro_f1"]) == (1.5, 2000, 0.8123)
    assert (
        esm["accuracy"]["count"] == 181
        and esm["accuracy"]["interval"][0] < 90.5 < esm["accuracy"]["interval"][1]
    )
    assert row["networks"]["light"]["macro_f1"] is None  # of a model that was built before it was measured


def test_the_command_has_what_is_not_as_always():
    assert recipes.command(OPTIONS) == (
        "pfamnet-build --recipe specialist --cut-domains --hmm p.h3m --base facebook/esm2_t6_8M_UR50D "
        "--esm-residues 3500000 --batch 2048 MODEL 'seed split' proteins.fa.gz"
    )
    assert "--power 0.3" in recipes.command(OPTIONS | {"power": 0.3})


def test_a_real_model_has_its_command_back(light_model):
    options = json.loads((light_model / "model.json").read_text())["provenance"]["options"]
    words = recipes.command(options).split()
    assert words[0] == "pfamnet-build" and words[words.index("--light-residues") + 1] == "300000"
    assert not {"--recipe", "--seed", "--lora", "--batch"} & set(words)  # these were as always


def test_the_table_has_the_originals_rows_first(model, tmp_path):
    out = tmp_path / "recipes.json"
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "recipes.py", model, "--out", out],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    text = tables.render(
        "<!-- table:recipes -->\n<!-- /table -->\n", {"recipes": [json.loads(out.read_text())]}
    )
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0][2:] for row in rows] == [
        "specialist, the original",
        "generalist-70k, the original",
        "generalist-400k, the original",
        "specialist, here",
        "specialist, here",
    ]
    assert "97.9" in rows[0] and "not published" in rows[1]
    assert "1 core of C | 200 of 90 families | 90.5 (85.6 to 93.8) | 0.812 |" in rows[4]
    assert "pfamnet-build --recipe specialist" in text
    assert tables.NOTHING in tables.render(text, {})


@pytest.mark.parametrize("spoil", ("model.json", "training.tsv", "plan"))
def test_what_is_no_model_of_a_recipe_is_refused(model, spoil):
    if spoil == "plan":
        description = json.loads((model / "model.json").read_text())
        description["provenance"]["plan"] = None
        (model / "model.json").write_text(json.dumps(description))
    else:
        (model / spoil).unlink()
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "recipes.py", model], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 2 and str(model) in done.stderr and "Traceback" not in done.stderr
