"""benchmarks/rates.py: rows that are done are not done again, and their table."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import rates  # noqa: E402
import tables  # noqa: E402

RIGHT = {"count": 30, "of": 60, "percent": 50.0, "interval": [37.7, 62.3]}
ROW = {
    "before": RIGHT,
    "after": RIGHT,
    "joined": RIGHT | {"percent": 55.0},
    "train_domains": 9,
    "wall_s": 2.0,
    "cpu_s": 1.5,
}
MACHINE = {"cpu": "any", "torch": "2"}


@pytest.fixture()
def run(tmp_path, monkeypatch):
    """Runs the command with a training that takes no time; gives the rows that were trained."""
    monkeypatch.setattr(rates, "read_trainset", lambda *_, **__: None)
    monkeypatch.setattr(rates, "with_dev", lambda *_: None)
    monkeypatch.setattr(rates, "machine", lambda *_: MACHINE)

    def go(*arguments):
        trained = []
        monkeypatch.setattr(rates, "trained", lambda differs, *_: trained.append(differs) or ROW)
        rates.main(
            [
                *arguments,
                "--data",
                str(tmp_path),
                "--base",
                str(tmp_path),
                "--out",
                str(tmp_path / "out.json"),
            ],
            standalone_mode=False,
        )
        return trained

    return go


def test_rows_that_are_done_are_not_done_again(run, tmp_path):
    names = list(rates.ROWS)
    assert run("--only", names[1]) == [rates.ROWS[names[1]]]
    assert len(run()) == len(names) - 1 and run() == []
    assert list(json.loads((tmp_path / "out.json").read_text())["rows"]) == names


def test_other_settings_start_anew(run):
    run()
    assert len(run("--residues", "9")) == len(rates.ROWS)


def test_the_table_has_a_row_for_each_recipe(run, tmp_path):
    run()
    result = json.loads((tmp_path / "out.json").read_text())
    text = tables.render("<!-- table:rates -->\n<!-- /table -->\n", {"rates": [result]})
    assert text.count("| 55.0 (37.7 to 62.3) |") == len(rates.ROWS) and "400,000 residues" in text
