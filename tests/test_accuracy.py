"""The figures of merit of benchmarks/accuracy.py, and its cut-down splits."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import accuracy_measures as measures  # noqa: E402
import reduced_split  # noqa: E402
from accuracy_methods import (  # noqa: E402
    NONE,
    Answer,
    Words,
    bits_matrix,
    by_both,
    by_neighbour,
    by_profiles,
    combined,
)

FOUND = {
    "rows": np.array([0, 0, 2]),
    "families": np.array([1, 2, 0]),
    "bits": np.array([30.0, 10.0, -5.0]),
    "chance": np.array([-20.0, -5.0, 0.0]),
}


def test_the_best_score_names_the_family_and_nothing_found_names_none():
    answer = by_profiles(FOUND, 3, 4)
    assert answer.picks.tolist() == [1, NONE, 0]
    assert answer.evalues[0] == pytest.approx(4 * np.exp(-20)) and np.isinf(answer.evalues[1])


def test_what_no_profile_found_is_never_better_than_what_one_did():
    assert bits_matrix(FOUND, (3, 3)).tolist() == [[0, 30, 10], [0, 0, 0], [-5, -5, -5]]


def test_bits_outweigh_the_network_by_their_weight():
    view = {"log_p": np.log(np.array([[0.98, 0.01, 0.01]])), "chance": np.array([[-8.0, -1.0, -1.0]])}
    found = {name: values[:2] for name, values in FOUND.items()}
    assert combined(view, found, 0.0).argmax() == 0 and combined(view, found, 1.0).argmax() == 1
    assert by_both(view, found, 1.0, 0.5).sure[0] == pytest.approx(20.5)


def test_calls_on_decoys_set_the_threshold():
    answer = Answer(np.array([0, 1, 2, 0]), np.array([5.0, 3.0, 9.0, 0.5]))
    labels = np.array([0, 1, 0, 0])
    decoys = np.arange(1000) / 200  # 4.995 is the surest of them
    points = dict(measures.curve(answer, labels, decoys))
    # one call lets pass what is over the second decoy, 4.99: of the right ones the first alone
    assert points[0.001] == 25.0 and points[0.5] == 50.0


def test_a_wrong_sister_is_an_error_but_not_of_the_clan():
    answer, labels = Answer(np.array([0, 1, 2, NONE]), np.zeros(4)), np.array([0, 0, 0, 1])
    made = measures.errors(
        answer, labels, ["A", "A", "B"], [5, 5, 5, 30], np.array([10.0, 50, 50, 99]), [40, 60, 60, 400]
    )
    assert (
        made["family"]["count"] == 3 and made["family_or_clan"]["count"] == 2 and made["nothing_named"] == 1
    )
    assert made["mean_of_families_percent"] == pytest.approx(100 * (2 / 3 + 1) / 2, abs=0.001)
    assert made["by_rows"]["1-5"]["of"] == 3 and made["by_identity"][">79"]["count"] == 1
    assert measures.confusions(answer, labels, ["A", "A", "B"]) == {
        "within_clans": 1,
        "between_clans": 1,
        "pairs": [[0, 1, 1], [0, 2, 1]],
    }


def test_probabilities_that_are_kept_are_reliable():
    log_p = np.log(np.array([[0.75, 0.25]] * 4))
    assert measures.reliability(log_p, np.array([0, 0, 0, 1]))["expected_calibration_error"] == 0
    assert measures.reliability(log_p, np.array([1, 1, 1, 1]))["expected_calibration_error"] == 0.75


def test_observed_calls_count_families_of_all_decoys():
    rows = measures.observed(np.array([[0.05, 5.0], [20.0, 0.5]]), 2)
    assert {row["nominal"]: row["observed"] for row in rows} == {
        1e-5: 0,
        1e-4: 0,
        1e-3: 0,
        0.01: 0,
        0.1: 0.5,
        1.0: 1.0,
        10.0: 1.5,
    }


def test_words_vote_for_the_family_where_they_are_frequent():
    words = Words(["ACDEFGHIK", "ACDEFGHIK", "LMNPQRSTV"], np.array([0, 0, 1]))
    answer = words(["WWACDEFWW", "PQRSTWWWW", "WWWWWWWWW", "AC"])
    assert answer.picks.tolist() == [0, 1, NONE, NONE]


def test_rows_that_share_words_are_the_ones_aligned():
    rows = ["ACDEFGHIK", "LMNPQRSTV", "ACDEFWWWW"]
    assert measures.sharing(["ACDEFGHIL"], rows, 2).tolist() == [0, 2]


def test_the_nearest_row_names_the_family():
    rows = np.eye(3)
    assert by_neighbour(np.array([[0.0, 0.9, 0.1]]), rows, np.array([7, 8, 9])).picks.tolist() == [8]


def write_split(folder, rows):
    for fold, lines in rows.items():
        (folder / fold).mkdir(parents=True)
        with open(folder / fold / "data-00000-of-00001", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["family_id", "sequence_name", "family_accession", "aligned_sequence", "sequence"]
            )
            writer.writerows(lines)


def test_a_reduced_split_leaves_out_whole_clans_and_cuts_others(tmp_path):
    families = [f"PF{i:05}" for i in range(1, 31)]
    make = lambda fold, count: [
        (f"F{name}", f"{fold}{name}{k}/1-8", f"{name}.1", "", "ACDEFGHI")
        for name in families
        for k in range(count)
    ]
    write_split(tmp_path / "split", {"train": make("a", 25), "dev": make("b", 2), "test": make("c", 2)})
    table = tmp_path / "families.tsv"
    table.write_text(
        "accession\tid\tclan\tdescription\n"
        + "".join(f"{name}.1\tF{name}\t{'CL0001' if i < 4 else ''}\tx\n" for i, name in enumerate(families))
    )
    done = CliRunner().invoke(
        reduced_split.main,
        [
            str(tmp_path / "out"),
            "--data",
            str(tmp_path / "split"),
            "--families",
            str(table),
            "--leave-out",
            "6",
            "--few",
            "1",
        ],
    )
    assert done.exit_code == 0, done.output
    what = json.loads((tmp_path / "out" / "reduced.json").read_text())
    left, few = set(what["left_out"]), what["few"]
    assert len(left) == 6 and len(left & set(families[:4])) in (0, 4)
    assert sorted(few.values()) == list(range(1, 11)) and not left & few.keys()
    read = lambda fold: [
        row["family_accession"].split(".")[0] for row in reduced_split.read(tmp_path / "out" / fold)
    ]
    train, out = read("train"), read("left_out")
    assert all(train.count(name) == (0 if name in left else few.get(name, 25)) for name in families)
    assert set(out) == left and len(out) == 6 * 29 and not left & set(read("dev") + read("test"))
