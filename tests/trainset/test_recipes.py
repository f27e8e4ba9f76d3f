"""Builds by recipe, from the command line to the stored plan."""

import json

import numpy as np
import pytest
import synthetic
import torch
from conftest import build, refused
from small_config import SMALL

import pfamnet.build.pipeline as module
import pfamnet.build.preparation as preparation
import pfamnet.build.trainings as trainings
from pfamnet.cli.build import build as command
from pfamnet.cli.common import run
from pfamnet.model.directory import open_model


@pytest.fixture
def few(monkeypatch):
    """Recipes of few families and rows under the names of the real ones, and a very small network."""
    from pfamnet.build import inputs as build_input
    from pfamnet.cli import build as cli_build
    from pfamnet.trainset.recipes import RECIPES, Recipe

    small = RECIPES | {"specialist": Recipe("specialist", "three families", ((3, 10),), power=0.0)}
    for place in (build_input, cli_build):
        monkeypatch.setattr(place, "RECIPES", small)
    monkeypatch.setattr("pfamnet.trainset.recipes.RECIPES", small)
    monkeypatch.setattr("pfamnet.build.fine_tune.LightConfig", SMALL)


@pytest.fixture
def here(capfd):
    """pfamnet-build in this process: (status, stdout, stderr)."""
    threads = torch.get_num_threads()

    def here(*arguments):
        status = run(command, ["--cpu", "1", "--device", "cpu", *map(str, arguments)])
        return status, *capfd.readouterr()

    yield here
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_build_by_recipe_says_follows_and_stores_its_plan(few, here, tmp_path, labelled, monkeypatch):
    seen = []
    monkeypatch.setattr(
        preparation, "Corpus", lambda fold, Corpus=preparation.Corpus: seen.append(fold) or Corpus(fold)
    )
    drawn = []
    monkeypatch.setattr(
        trainings,
        "SamplerSettings",
        lambda settings=trainings.SamplerSettings, **given: drawn.append(given) or settings(**given),
    )
    out = tmp_path / "made"
    status, _, said = here("--recipe", "specialist", "--light-residues", 20_000, out, labelled)
    assert status == 0, said
    assert said.startswith("recipe specialist: three families\n") and "  1 to 3" in said
    train = seen[0]
    assert np.bincount(train.domains[:, 3]).tolist() == [10, 10, 10]  # nothing is emitted beside
    assert drawn[0]["power"] == 0
    stored = json.loads((out / "model.json").read_text())["provenance"]
    assert stored["plan"]["rows"] == 30 and stored["plan"]["strata"][0]["rows"] > 30
    assert stored["options"]["recipe"] == "specialist" and stored["options"]["emit"] == 0
    families = open_model(out).families
    assert [family.rows for family in families] == [10, 10, 10]


def test_options_go_before_the_recipe(few, here, tmp_path, labelled, monkeypatch):
    taken = []
    monkeypatch.setattr(module, "Build", lambda out, options, *rest: taken.append(options) or FakeBuild())
    assert here("--recipe", "specialist", "--emit", 7, "--power", 0.5, tmp_path / "made", labelled)[0] == 0
    assert here("--recipe", "specialist", tmp_path / "made", labelled)[0] == 0
    assert here(tmp_path / "made", labelled)[0] == 0
    assert [(options.emit, options.power) for options in taken] == [(7, 0.5), (0, 0.0), (50, 0.6)]


class FakeBuild:
    def run(self):
        pass


def test_a_plan_is_printed_and_nothing_written(tmp_path, labelled):
    done = build("--recipe", "generalist-70k", "--plan", tmp_path / "made", labelled)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("recipe generalist-70k: 70,000 rows of the 5,000 largest families")
    assert lines[-3].strip() == "5,000 families asked for, 8 there: all of them are taken"
    assert lines[-2].strip().startswith("70,000 rows asked for, ")
    assert list(tmp_path.iterdir()) == [] and done.stderr == ""


def test_a_plan_needs_no_torch(tmp_path, labelled):
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None; from pfamnet.cli.build import build; "
        "from pfamnet.cli.common import run; "
        f"sys.exit(run(build, ['--recipe', 'full', '--plan', 'x', {str(labelled)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "recipe full" in done.stdout, done.stderr


def test_plans_of_cut_and_clustered_domains(here, tmp_path):
    """Sixty domains of proteins, of which few are alike, beside forty rows that are all alike."""
    synthetic.write_proteins(tmp_path / "p.fa", tmp_path / "t.tsv")
    rng = np.random.default_rng(0)
    (tmp_path / "rows.fa").write_text(
        synthetic.fasta((f"r{i} PF99999", synthetic.domain(9, rng, changed=0.05)) for i in range(40))
    )
    words = [
        "--recipe",
        "full",
        "--plan",
        "--domains",
        tmp_path / "t.tsv",
        "--cut-domains",
        tmp_path / "m",
        tmp_path / "p.fa",
        tmp_path / "rows.fa",
    ]
    status, said, _ = here(*words)
    assert status == 0 and rows_of(said) == 100 and "validation set: 7 of 7 rows" in said, said


def rows_of(plan):
    """Rows of train and dev together."""
    together = next(line.split() for line in plan.splitlines() if line.strip().startswith("together"))
    return int(together[3]) + int(plan.split("validation set: ")[1].split()[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--recipe", "special"], "'special' is not one of 'specialist', 'generalist-70k'"),
        (["--recipe", "full", "--max-families", "3"], "not together with --max-families"),
        (["--plan"], "--recipe is missing"),
        (["--cut-domains"], "--cut-domains needs a table of domains"),
        (["--power", "2"], "2"),
    ],
)
def test_options_that_do_not_go_together_are_refused(here, tmp_path, labelled, arguments, says):
    status, out, said = here(*arguments, tmp_path / "made", labelled)
    assert status == 2 and out == "" and said.count("\n") == 1 and says in said, said
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recipe_is_one_line(tmp_path, labelled):
    assert "is not one of" in refused(build("--recipe", "x", tmp_path / "m", labelled, check=False), 2)
