"""Builds from one end to the other: killed and resumed, refused, and with odd train sets."""

import io
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import golden
import numpy as np
import pytest
import synthetic
import torch
from conftest import ESM_OPTIONS, build, environment, program, refused, scan, start_build
from safetensors.torch import load_file
from small_build import make_small, tables
from trainings import step_of

import pfamnet.build.pipeline as module
import pfamnet.build.trainings as trainings
import pfamnet.build.write_model as output
from pfamnet.build.provenance import input_digests
from pfamnet.cli.build import build as command
from pfamnet.cli.common import run
from pfamnet.model.directory import open_model
from pfamnet.profiles.words import SENSITIVE, WORD

DATA = Path(__file__).parents[1] / "data"


def log(model):
    """training.tsv without its times."""
    lines = [line.split("\t") for line in (model / "training.tsv").read_text().splitlines()]
    return [line[:3] + line[4:7] for line in lines]


# What the models of the fixtures are


def test_a_build_leaves_the_model_and_no_work(esm_model):
    assert sorted(path.name for path in esm_model.parent.iterdir()) == ["made", "stderr"]


def test_a_build_says_on_stderr_what_it_did(light_model, esm_model):
    said = (light_model.parent / "stderr").read_text().splitlines()
    assert said[0].startswith("8 families, ") and said[-1].endswith("made: a model of 8 families")
    assert any(line.startswith("light: validation accuracy") for line in said)
    assert not any("Warning" in line or "%|" in line for line in said)
    said = (esm_model.parent / "stderr").read_text().splitlines()
    assert any(line.startswith("esm: validation accuracy") for line in said)


def test_the_training_log_is_a_table_of_both_networks(esm_model):
    lines = log(esm_model)
    assert lines[0] == ["network", "step", "residues", "loss", "dev_accuracy", "lr"]
    assert [(line[0], int(line[1])) for line in lines[1:]] == [("esm", 0), ("esm", 330), ("light", 6)]


def test_the_networks_learn(light_model, esm_model):
    """Of 8 families one in eight would be right by chance."""
    accuracies = {line[0]: float(line[4]) for model in (esm_model, light_model) for line in log(model)[1:]}
    assert accuracies["light"] > 0.5 and accuracies["esm"] > 0.25


def test_families_keep_what_the_alignments_say(light_model):
    families = open_model(light_model).families
    assert [family.accession for family in families] == [synthetic.accession(i) for i in range(8)]
    assert [family.ga for family in families] == [(22.0, 22.0)] * 8
    assert [family.clan for family in families] == ["CL9000"] * 2 + [""] * 6
    assert families[3].description == "Made-up family 3" and families[3].name == "Made_3"


# Killed and resumed


def wait_for(condition, process, seconds=300):
    """Wait until a condition holds while a process goes on."""
    for _ in range(seconds * 50):
        if condition():
            return
        assert process.poll() is None, "the build ended before it could be stopped"
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.mark.slow
def test_a_build_killed_again_and_again_ends_like_one_that_was_not(esm_model, base, labelled, tmp_path):
    out, work = tmp_path / "made", tmp_path / "made.work"
    options = ["--base", base, *ESM_OPTIONS, out, labelled]

    def killed(condition, *more):
        process = start_build(*more, *options, folder=tmp_path, name="eager_build")
        wait_for(condition, process)
        process.kill()
        process.wait()
        assert not out.exists()

    killed(lambda: len(list(work.glob("profiles/*.h3m"))) >= 3)
    profiles = {path: path.stat().st_mtime_ns for path in sorted(work.glob("profiles/*.h3m"))}
    killed(lambda: step_of(work, "esm") > 210, "--resume")
    assert all(path.stat().st_mtime_ns == made for path, made in profiles.items())
    assert 210 < step_of(work, "esm") < 330
    killed(lambda: step_of(work, "light") >= 2, "--resume")
    assert (work / "soft.safetensors").exists()
    process = start_build("--resume", *options, folder=tmp_path, name="brief_build")
    assert process.wait(300) == 0
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said and said.count("esm: validation accuracy") == 2
    assert tables(out) == tables(esm_model)
    assert log(out) == log(esm_model)
    assert described(out) == described(esm_model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "stderr"]


def described(model):
    """model.json but for the digests of the files in which times stand."""
    fields = json.loads((model / "model.json").read_text())
    del fields["digest"], fields["files"]["training.tsv"], fields["files"]["evaluation/latency.tsv"]
    return fields


@pytest.mark.slow
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_build_ends_in_order_and_can_go_on(trainset, tmp_path, number, status):
    out, work = tmp_path / "made", tmp_path / "made.work"
    process = start_build("--light-residues", 10**8, out, *trainset, folder=tmp_path, name="small_build")
    wait_for(lambda: step_of(work, "light") >= 1, process)
    process.send_signal(number)
    assert process.wait(60) == status
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    assert not out.exists() and sorted(tmp_path.iterdir()) == [work, tmp_path / "stderr"]
    assert step_of(work, "light") >= 1


def test_a_stop_while_libraries_load_is_quiet(trainset, tmp_path):
    process = start_build(tmp_path / "made", *trainset, folder=tmp_path)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    assert not (tmp_path / "made").exists()


def test_a_build_stopped_before_its_end_repeats_nothing(quick, tmp_path, labelled, monkeypatch):
    """Neither profiles nor cutoffs nor the training; and a half-written model goes with the work."""
    work = tmp_path / "made.work"

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(output, "write_training_log", stop)
        assert quick(labelled)[0] == 130
    kept = ["gathering.json", "inputs.json", "light", "lock", "options.json", "profiles"]
    assert sorted(path.name for path in work.iterdir()) == kept and not (tmp_path / "made").exists()
    (work / ".made.abcdef").mkdir()
    (work / ".made.abcdef" / "families.tsv").write_text("half")
    with monkeypatch.context() as patch:
        for place, name in (("hmms", "build_profile"), ("gathering", "Searched")):
            patch.setattr(f"pfamnet.build.{place}.{name}", None)
        patch.setattr("pfamnet.training.loop.Training.step", None)
        status, said = quick("--resume", labelled)
    assert status == 0, said
    assert quick(labelled, out=tmp_path / "again")[0] == 0
    assert tables(tmp_path / "made") == tables(tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "made"]


# Refusals about model_out and the work directory


def one_line(done, status=1):
    code, said = done
    assert code == status and said.count("\n") == 1 and said.startswith("pfamnet-build: "), said
    return said


def test_a_model_that_is_there_is_not_overwritten(quick, tmp_path, labelled):
    (tmp_path / "made").mkdir()
    assert "exists already" in one_line(quick(labelled))
    assert "exists already" in one_line(quick("--resume", labelled))
    (tmp_path / "file").write_text("precious")
    assert "exists already" in one_line(quick(labelled, out=tmp_path / "file"))
    (tmp_path / "link").symlink_to(tmp_path / "none")
    assert "exists already" in one_line(quick(labelled, out=tmp_path / "link"))
    assert not (tmp_path / "none").exists()
    assert (tmp_path / "file").read_text() == "precious" and list((tmp_path / "made").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("most", (2_000, 30_000))
def test_a_disk_that_is_full_is_one_line_and_the_build_is_resumed(labelled, tmp_path, most):
    """As if the disk had so many bytes for each file."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    words = [*program("small_build"), "--cpu", "1", "--device", "cpu", "--light-residues", "70000"]
    words += [str(tmp_path / "made"), str(labelled)]
    settings = {"capture_output": True, "text": True, "env": environment()}
    full = subprocess.run(words, preexec_fn=limit, **settings)
    assert full.returncode == 1 and full.stderr.splitlines()[-1].endswith("file too large"), full.stderr
    assert "Traceback" not in full.stderr and not (tmp_path / "made").exists()
    whole = subprocess.run([*words, "--resume"], **settings)
    assert whole.returncode == 0, whole.stderr
    assert open_model(tmp_path / "made").families


def test_work_that_is_there_is_not_overwritten(quick, tmp_path, labelled):
    (tmp_path / "made.work").mkdir()
    (tmp_path / "made.work" / "precious").touch()
    message = one_line(quick(labelled))
    assert "made.work: an earlier build is unfinished: resume it" in message
    assert (tmp_path / "made.work" / "precious").exists()


def test_where_nothing_was_begun_there_is_nothing_to_resume(quick, tmp_path, labelled):
    assert "no build to resume" in one_line(quick("--resume", labelled))
    (tmp_path / "made.work").mkdir()
    assert "no build to resume" in one_line(quick("--resume", labelled))
    (tmp_path / "made.work").rmdir()
    (tmp_path / "made.work").write_text("a file")
    assert "no build to resume" in one_line(quick("--resume", labelled))


@pytest.mark.parametrize("name", ["options.json", "inputs.json"])
@pytest.mark.parametrize("content", ['{"trainsets": [', "[1]", ""])
def test_a_damaged_beginning_is_refused(quick, tmp_path, labelled, name, content):
    begin(tmp_path, labelled)
    (tmp_path / "made.work" / name).write_text(content)
    assert f"{name} is corrupt; delete the directory" in one_line(quick("--resume", labelled))


@pytest.mark.parametrize(
    "change", [["--seed", 7], ["--light-lr", 0.1], ["--max-families", 3], ["--recall", 0.9]]
)
def test_other_options_are_refused_when_resuming(quick, tmp_path, labelled, change):
    begin(tmp_path, labelled)
    assert "begun with other options" in one_line(quick("--resume", *change, labelled))


def test_other_train_sets_are_refused_when_resuming(quick, tmp_path, labelled, trainset):
    begin(tmp_path, labelled)
    assert "begun with other options" in one_line(quick("--resume", labelled, trainset[-1]))


def test_input_that_has_changed_is_refused_when_resuming(quick, tmp_path):
    """Profiles and checkpoints of other families would be taken for theirs."""
    synthetic.write_labelled(tmp_path / "d.fa", families=2, rows=4)
    begin(tmp_path, tmp_path / "d.fa")
    synthetic.write_labelled(tmp_path / "d.fa", families=3, rows=4)
    status, said = quick("--resume", tmp_path / "d.fa")
    assert status == 1 and "d.fa: changed since" in said.splitlines()[-1]


def begin(tmp_path, labelled):
    """The work directory of a build that was killed at once."""
    options = module.BuildOptions((str(labelled),), light_residues=70_000)
    module.Build(tmp_path / "made", options, device="cpu").work.begin(input_digests(options))


def test_threads_and_device_are_not_of_the_build(quick, tmp_path, labelled):
    begin(tmp_path, labelled)
    assert quick("--resume", "--cpu", 2, labelled)[0] == 2  # --cpu twice
    status, said = quick("--resume", labelled)
    assert status == 0 and (tmp_path / "made").is_dir() and not (tmp_path / "made.work").exists()


# Refusals of input: one line, and no work directory that is in the way next time


REFUSED = {
    "no such train set": (["none.fa"], "none.fa: no such file or directory"),
    "an empty train set": (["empty.fa"], "empty.fa: empty file"),
    "no train set's layout": (["rubbish.txt"], "neither FASTA nor Stockholm"),
    "no such table of domains": (["--domains", "none.tsv", "d.fa"], "none.tsv"),
    "no such table of families": (["--families", "none.tsv", "d.fa"], "none.tsv"),
    "no such profiles": (["--hmm", "none.hmm", "d.fa"], "none.hmm"),
    "profiles that are none": (["--hmm", "d.fa", "d.fa"], "d.fa"),
    "profiles of other families": (
        ["--hmm", str(DATA / "golden.hmm.gz"), "d.fa"],
        "none of the train sets' families",
    ),
    "one accession twice": (
        ["--hmm", "twice.hmm", "d.fa"],
        "profile 3 'other': has the accession of profile 1: PF",
    ),
    "no such base": (["--base", "./none", "d.fa"], "./none: no such directory"),
    "a base that is a file": (["--base", "d.fa", "d.fa"], "d.fa: no such directory"),
    "a base without a configuration": (["--base", ".", "d.fa"], "config.json"),
    "letters outside the alphabet": (
        ["digits.fa"],
        "digits.fa: record 2 'b': illegal character '1' at position 3",
    ),
    "no such proteins": (["--hmm", str(DATA / "golden.hmm.gz"), "--proteins", "none.fa"], "none.fa: no such"),
    "proteins with letters outside the alphabet": (
        ["--hmm", str(DATA / "golden.hmm.gz"), "--proteins", "digits.fa"],
        "digits.fa: record 2 'b': illegal character '1' at position 3",
    ),
    "an empty train set beside proteins": (
        ["--hmm", str(DATA / "golden.hmm.gz"), "--proteins", "d.fa", "empty.fa"],
        "empty.fa: empty file",
    ),
    "one residue": (["single.fa"], "no family has a training row"),
    "eight-bit AdamW on a CPU": (["--optim", "adamw8bit", "d.fa"], "adamw8bit needs a CUDA device"),
    "half precision on a CPU": (["--precision", "fp16", "d.fa"], "precision fp16 needs a CUDA device"),
}


def write_twice(path):
    """Three profiles, the last of the first one's family, of another version and name."""
    from pfamnet.profiles.files import read_hmms, write_profiles

    hmms = list(itertools.islice(read_hmms(DATA / "golden.hmm.gz"), 2))
    again = hmms[0].copy()
    again.accession, again.name = again.accession.partition(".")[0] + ".99", "other"
    write_profiles(path, [*hmms, again])


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_before_anything_is_made(quick, tmp_path, monkeypatch, case):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    synthetic.write_labelled("d.fa", families=2, rows=4)
    Path("empty.fa").touch()
    Path("rubbish.txt").write_text("neither this nor that\n")
    Path("digits.fa").write_text(">a PF1\nACDEF\n>b PF1\nAC1DE\n")
    Path("single.fa").write_text(">a PF1\nA\n")
    write_twice("twice.hmm")
    files = sorted(tmp_path.iterdir())
    assert message in one_line(quick(*arguments))
    assert sorted(tmp_path.iterdir()) == files


def test_a_device_that_is_not_there_is_refused(tmp_path, labelled, capfd):
    words = ["--device", "cuda:77", str(tmp_path / "made"), str(labelled)]
    assert "device 'cuda:77' is not available" in one_line((run(command, words), capfd.readouterr().err))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["only_out"],
        ["--batch", "0", "out", "d.fa"],
        ["--holdout", "0.9", "out", "d.fa"],
        ["--lr", "-1", "out", "d.fa"],
        ["--lora", "4", "out", "d.fa"],
        ["--cache", "1000", "out", "d.fa"],
        ["--base", "b", "--cache", "1000", "out", "d.fa"],
        ["--base", "b", "--freeze", "1", "--lora", "2", "--cache", "1000", "out", "d.fa"],
        ["--lora", "-1", "--base", "b", "out", "d.fa"],
        ["--freeze", "2", "out", "d.fa"],
        ["--freeze", "x", "--base", "b", "out", "d.fa"],
        ["--aligner", "clustal", "out", "d.fa"],
        ["--aligner", "famsa", "--hmm", "x.hmm", "out", "d.fa"],
        ["--crop", "128", "out", "d.fa"],
        ["--head-lr", "0.1", "out", "d.fa"],
        ["--recipe", "full", "--plan", "--resume", "out", "d.fa"],
        ["--nonsense", "out", "d.fa"],
        ["--max-families", "x", "out", "d.fa"],
        ["--light-residues", "0", "out", "d.fa"],
        ["--light-lr", "nan", "out", "d.fa"],
        ["--lr", "inf", "out", "d.fa"],
        ["--head-lr", "1_0", "out", "d.fa"],
        ["--recall", "nan", "out", "d.fa"],
        ["--power", "nan", "out", "d.fa"],
        ["--holdout", "nan", "out", "d.fa"],
    ],
)
def test_wrong_use_is_status_2_and_one_line(capfd, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    message = one_line((run(command, arguments), capfd.readouterr().err), 2)
    assert "(see pfamnet-build --help)" in message
    assert list(tmp_path.iterdir()) == []


def test_the_program_itself_refuses_like_that(tmp_path):
    assert "none.fa: no such file" in refused(build(tmp_path / "made", tmp_path / "none.fa", check=False))
    assert list(tmp_path.iterdir()) == []


def test_where_the_model_cannot_be_written_there_is_one_line(quick, tmp_path, labelled):
    (tmp_path / "file").touch()
    one_line(quick(labelled, out=tmp_path / "file" / "made"))


def test_without_torch_it_says_what_to_install(tmp_path, labelled):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')")
    done = subprocess.run(
        [*program("pfamnet-build"), str(tmp_path / "made"), str(labelled)],
        text=True,
        capture_output=True,
        env=environment() | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )
    assert "torch is not installed" in refused(done) and "pfamnet[build]" in done.stderr


# Odd train sets


def test_a_seed_split_makes_a_model(quick, tmp_path):
    status, said = quick(DATA / "seed_split")
    assert status == 0, said
    model = open_model(tmp_path / "made")
    assert [family.accession for family in model.families] == ["PF00013.29", "PF00126.27", "PF00391.23"]
    digests = model.description["provenance"]["digests"]
    assert len(digests) == 3 and not any("/test/" in path for path in digests)


def test_one_family_is_enough(quick, tmp_path):
    synthetic.write_labelled(tmp_path / "d.fa", families=1, rows=8)
    status, said = quick(tmp_path / "d.fa")
    assert status == 0, said
    model = open_model(tmp_path / "made")
    assert len(model.families) == 1 and model.runtime("light").logits("ACDEF").shape == (1, 2)


def test_families_of_one_sequence_are_built_with_warnings(quick, tmp_path):
    """Nothing can be held out then, so that train rows stand in for dev."""
    synthetic.write_labelled(tmp_path / "d.fa", families=4, rows=1)
    status, said = quick(tmp_path / "d.fa")
    assert status == 0, said
    assert "warning: families with one training row: 4" in said
    assert "warning: no validation set: 4 training sequences stand in for it" in said
    assert len(open_model(tmp_path / "made").families) == 4


def test_a_dev_fold_of_other_families_is_none(quick, tmp_path):
    shutil.copytree(DATA / "seed_split", tmp_path / "split")
    shard = tmp_path / "split" / "dev" / "data-00000-of-00001"
    shard.write_text(shard.read_text().replace(",PF00", ",PF99"))
    status, said = quick(tmp_path / "split")
    assert status == 0, said
    assert "stand in for it" in said


def test_a_split_without_a_dev_fold_holds_rows_out(quick, tmp_path):
    shutil.copytree(DATA / "seed_split" / "train", tmp_path / "split" / "train")
    status, said = quick("--holdout", 0.3, tmp_path / "split")
    assert status == 0 and "stand in" not in said


def test_profiles_that_are_given_are_taken_as_they_are(quick, tmp_path):
    """And families without one are left out, with a warning."""
    from pfamnet.profiles.files import emit_sequences, read_hmms

    hmms = {hmm.accession: hmm for hmm in read_hmms(DATA / "golden.hmm.gz")}
    chosen = sorted(hmms)[:3]
    records = [
        (f"{accession}_{i} {accession}", sequence)
        for accession in chosen
        for i, sequence in enumerate(emit_sequences(hmms[accession], 5, 1))
    ]
    records += [(f"other{i} PF77777.1", synthetic.domain(0, np.random.default_rng(i))) for i in range(4)]
    (tmp_path / "d.fa").write_text(synthetic.fasta(records))
    status, said = quick("--hmm", DATA / "golden.hmm.gz", "--max-families", 3, tmp_path / "d.fa")
    assert status == 0, said
    assert "warning: families left out, as not wanted: 1 (PF77777)" in said
    model = open_model(tmp_path / "made")
    assert [family.accession for family in model.families] == chosen
    for index, family in enumerate(model.families):
        hmm = hmms[family.accession]
        assert model.store.hmm(index) == hmm
        assert family.ga == tuple(hmm.cutoffs.gathering) and family.name == hmm.name


def test_bytes_of_latin_1_in_profiles_are_kept_and_any_seed_of_64_bits_is_taken(quick, tmp_path):
    from pfamnet.profiles.files import emit_sequences, read_hmms

    hmms, text = list(itertools.islice(read_hmms(DATA / "golden.hmm.gz"), 2)), io.BytesIO()
    for hmm in hmms:
        hmm.write(text)
    odd = text.getvalue().replace(b"NAME  " + hmms[0].name.encode(), b"NAME  caf\xe9", 1)
    odd = odd.replace(b"DESC  " + hmms[1].description.encode(), b"DESC  of B\xfctschli", 1)
    (tmp_path / "latin.hmm").write_bytes(odd)
    drawn = [(hmm.accession, emit_sequences(hmm, 5, 1)) for hmm in hmms]
    records = [(f"{i} {accession}", some[i]) for accession, some in drawn for i in range(5)]
    (tmp_path / "d.fa").write_text(synthetic.fasta(records))
    status, said = quick("--hmm", tmp_path / "latin.hmm", "--seed", 2**64 - 1, tmp_path / "d.fa")
    assert status == 0, said
    model = open_model(tmp_path / "made")
    assert {"caf\udce9", hmms[1].name} == {family.name for family in model.families}
    assert "of B\udcfctschli" in [family.description for family in model.families]
    (tmp_path / "q.fa").write_text(f">q\n{drawn[0][1][0]}\n")
    table = scan("--header", tmp_path / "made", tmp_path / "q.fa", text=False).stdout
    assert table.splitlines()[1].startswith(b"caf\xe9\t")


@pytest.mark.parametrize("seed", (-1, 2**64, "9" * 23, "x"))
def test_a_seed_of_more_bits_is_one_line(quick, labelled, tmp_path, seed):
    assert "seed" in one_line(quick("--seed", seed, labelled), status=2)
    assert not (tmp_path / "made").exists()


def test_a_family_without_rows_is_learnt_from_its_profile(quick, tmp_path):
    from pfamnet.profiles.files import emit_sequences, read_hmms

    hmms = sorted(read_hmms(DATA / "golden.hmm.gz"), key=lambda hmm: hmm.accession)
    records = [
        (f"{i} {hmms[0].accession}", sequence) for i, sequence in enumerate(emit_sequences(hmms[0], 5, 1))
    ]
    (tmp_path / "d.fa").write_text(synthetic.fasta(records))
    status, said = quick("--hmm", DATA / "golden.hmm.gz", tmp_path / "d.fa")
    assert status == 0, said
    families = open_model(tmp_path / "made").families
    assert [family.accession for family in families] == [hmm.accession for hmm in hmms]
    assert [family.rows > 0 for family in families] == [True] + [False] * (len(hmms) - 1)
    # nothing can be learnt without rows and without emission
    status, said = quick(
        "--hmm", DATA / "golden.hmm.gz", "--emit", 0, tmp_path / "d.fa", out=tmp_path / "two"
    )
    assert status == 0, said
    assert [family.accession for family in open_model(tmp_path / "two").families] == [hmms[0].accession]


def write_proteins(path):
    """Real proteins without labels."""
    records = [(record.name, record.sequence) for record in golden.records() if record.sequence.isalpha()]
    path.write_text(synthetic.fasta(records))
    return path


def test_proteins_without_labels_are_labelled_by_the_profiles(quick, tmp_path):
    proteins = write_proteins(tmp_path / "p.fa")
    status, said = quick("--hmm", DATA / "golden.hmm.gz", "--proteins", proteins)
    assert status == 0, said
    assert said.startswith("labels: search ") and "; training on 70000 residues: less than a minute" in said
    model = open_model(tmp_path / "made")
    assert len(model.families) == len(golden.hmms())
    rows = {family.name: family.rows for family in model.families}
    assert max(rows.values()) > 1 and min(rows.values()) == 0
    assert str(proteins) in model.description["provenance"]["digests"]


def test_a_labelling_that_was_killed_is_resumed(quick, tmp_path, monkeypatch):
    import pfamnet.build.labels as labels

    arguments = ["--hmm", DATA / "golden.hmm.gz", "--proteins", write_proteins(tmp_path / "p.fa")]
    monkeypatch.setattr(labels, "PART", 1e7)
    search, calls = labels.search, itertools.count()

    def killed(*arguments):
        one = search(*arguments)

        def few(records):
            if next(calls) == 3:
                raise KeyboardInterrupt
            return one(records)

        return few

    with monkeypatch.context() as first:
        first.setattr(labels, "search", killed)
        assert quick(*arguments)[0] == 130
    status, said = quick("--resume", *arguments)
    assert status == 0 and " are done) " in said


def test_profiles_alone_make_a_model(quick, tmp_path):
    status, said = quick("--hmm", DATA / "golden.hmm.gz", "--emit", 2)
    assert status == 0, said
    first, *_ = said.splitlines()
    assert first == "22 profiles emit what is learnt from; training on 70000 residues: less than a minute"
    assert "warning: no proteins: 1012 sequences from the profiles are the validation set" in said
    model = open_model(tmp_path / "made")
    assert [family.rows for family in model.families] == [0] * 22
    assert "emitted from the profiles" in (tmp_path / "made" / "README.md").read_text()
    description = model.description  # no threshold is learnt from emitted sequences, and words find more
    assert description["networks"]["light"]["sensitivities"]["default"]["recall"] == 1.0
    assert description["words"]["bits"] == SENSITIVE < WORD


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("", "Missing argument"),
        ("--proteins p.fa", "--hmm is missing"),
        ("--hmm x.hmm --emit 0", "--emit 0 leaves nothing to learn from"),
        ("--hmm x.hmm --recipe specialist", "--recipe chooses among rows"),
        ("--hmm x.hmm --domains d.tsv", "a <trainset> is missing"),
        ("--hmm x.hmm --proteins p.fa --recipe specialist --plan", "--plan searches nothing"),
    ],
)
def test_a_build_that_has_nothing_to_learn_from_is_refused(quick, arguments, message):
    status, said = quick(*arguments.split())
    assert status == 2 and message in said and said.count("\n") == 1


def test_the_most_frequent_families_are_taken(quick, tmp_path):
    synthetic.write_labelled(tmp_path / "a.fa", families=4, rows=4)
    synthetic.write_labelled(tmp_path / "b.fa", families=2, rows=12, seed=9)
    text = (tmp_path / "b.fa").read_text().replace(">d", ">e")
    (tmp_path / "b.fa").write_text(text)
    assert quick("--max-families", 2, tmp_path / "a.fa", tmp_path / "b.fa")[0] == 0
    assert [f.accession for f in open_model(tmp_path / "made").families] == [
        synthetic.accession(i) for i in (0, 1)
    ]


def test_names_come_from_a_table(quick, tmp_path):
    synthetic.write_labelled(tmp_path / "d.fa", families=2, rows=4)
    (tmp_path / "f.tsv").write_text(
        f"accession\tname\tclan\tdescription\n{synthetic.accession(1)}\tSecond\tCL7\tIt is\n"
    )
    assert quick("--families", tmp_path / "f.tsv", tmp_path / "d.fa")[0] == 0
    family = open_model(tmp_path / "made").families[1]
    assert (family.name, family.clan, family.description) == ("Second", "CL7", "It is")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--balance", "inverse"],
        ["--balance", "logit"],
        ["--precision", "bf16"],
        ["--emit", "0"],
        ["--candidates", "1"],
        ["--recall", "1"],
    ],
)
def test_options_of_training_make_a_model(quick, tmp_path, labelled, options):
    status, said = quick(*options, labelled)
    assert status == 0, said
    open_model(tmp_path / "made")


@pytest.mark.slow
def test_the_smallest_batches_and_accumulation_train_esm_too(quick, tmp_path, base, labelled):
    """Batches shorter than a crop: none of them may be empty."""
    status, said = quick(
        "--base", base, "--batch", 256, "--crop", 512, "--accumulate", 3, "--esm-residues", 9000, labelled
    )
    assert status == 0, said
    assert sorted(open_model(tmp_path / "made").networks) == ["esm", "light"]


CACHED = ["--freeze", 1, "--cache", 3000, "--batch", 256, "--crop", 64, "--esm-residues", 9000]


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--accumulate", 3)])
def test_a_training_on_cached_layers_leaves_these_as_they_are(
    quick, tmp_path, base, labelled, monkeypatch, more
):
    monkeypatch.setattr(trainings, "start_head", knowing_nothing)
    status, said = quick("--base", base, *CACHED, *more, labelled)
    assert status == 0, said
    before, after = (
        load_file(folder / "model.safetensors") for folder in (base, tmp_path / "made" / "encoder")
    )
    changed = {name.split(".")[2] for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {"1", "weight", "bias"}  # the upper layer, and the norm after it


@pytest.mark.slow
def test_cached_layers_are_computed_once_though_the_build_is_resumed(
    quick, tmp_path, base, labelled, monkeypatch
):
    vectors, step = tmp_path / "made.work" / trainings.VECTORS, trainings.Training.step

    def stopping(training, batches):
        if training.state.step == 20:
            raise KeyboardInterrupt
        return step(training, batches)

    with monkeypatch.context() as patch:
        patch.setattr("pfamnet.training.callbacks.CHECKPOINT_SECONDS", 0)
        patch.setattr(trainings.Training, "step", stopping)
        assert quick("--base", base, *CACHED, labelled)[0] == 130
    assert vectors.stat().st_size - 128 == 16 * 3 * 80 * 32 * 2  # 16 batches of 3 rows
    with monkeypatch.context() as patch:
        patch.setattr(trainings, "save_vectors", None)
        assert quick("--resume", "--base", base, *CACHED, labelled)[0] == 0
    assert quick("--base", base, *CACHED, labelled, out=tmp_path / "again")[0] == 0
    assert tables(tmp_path / "made") == tables(tmp_path / "again")


@pytest.mark.slow
def test_adapters_are_merged_into_the_encoder_that_is_written(quick, tmp_path, base, labelled, monkeypatch):
    """Its files are those of any ESM-2; query and value alone have changed."""
    monkeypatch.setattr(trainings, "start_head", knowing_nothing)
    status, said = quick(
        "--base", base, "--lora", 2, "--batch", 256, "--crop", 64, "--esm-residues", 9000, labelled
    )
    assert status == 0, said
    before, after = (
        load_file(folder / "model.safetensors") for folder in (base, tmp_path / "made" / "encoder")
    )
    assert before.keys() == after.keys()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {
        f"encoder.layer.{number}.attention.self.{which}.weight"
        for number in range(2)
        for which in ("query", "value")
    }
    options = open_model(tmp_path / "made").description["provenance"]["options"]
    assert options["lora"] == 2


def knowing_nothing(network, *_):
    """A head whose validation accuracy any training reaches, so that the trained network is the one kept."""
    torch.nn.init.zeros_(network.head[-1].weight)


@pytest.mark.slow
def test_frozen_layers_stay_as_they_were(quick, tmp_path, base, labelled, monkeypatch):
    monkeypatch.setattr(trainings, "start_head", knowing_nothing)
    status, said = quick(
        "--base", base, "--freeze", 1, "--batch", 256, "--crop", 64, "--esm-residues", 9000, labelled
    )
    assert status == 0, said
    before, after = (
        load_file(folder / "model.safetensors") for folder in (base, tmp_path / "made" / "encoder")
    )
    same = {name for name, tensor in after.items() if torch.equal(tensor, before[name])}
    assert {name for name in after if "layer.0." in name or "embeddings" in name} <= same
    assert not any("layer.1." in name and name.endswith(".weight") for name in same)


def test_more_frozen_layers_than_there_are_is_refused(quick, tmp_path, base, labelled):
    assert "3 frozen layers: the encoder has only 2" in one_line(
        quick("--base", base, "--freeze", 3, labelled)
    )
    assert list(tmp_path.iterdir()) == []


def test_adapters_of_too_high_a_rank_are_refused_before_anything_is_made(quick, tmp_path, base, labelled):
    assert "adapters of rank 33: the encoder is only 32 wide" in one_line(
        quick("--base", base, "--lora", 33, labelled)
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_equal_builds_make_equal_models_at_any_number_of_threads(tmp_path, monkeypatch, labelled):
    """As far as profiles and families go: the arithmetic of training may differ by threads."""
    make_small(monkeypatch.setattr)
    threads = torch.get_num_threads()
    for cpus in ("1", "2"):
        assert (
            run(
                command,
                [
                    "--cpu",
                    cpus,
                    "--device",
                    "cpu",
                    "--light-residues",
                    "20000",
                    str(tmp_path / cpus),
                    str(labelled),
                ],
            )
            == 0
        )
    torch.set_num_threads(threads)
    one, two = (tables(tmp_path / cpus) for cpus in ("1", "2"))
    assert one["profiles.h3z"] == two["profiles.h3z"] and one["families.tsv"] == two["families.tsv"]


def test_a_trailing_slash_is_the_same_model(quick, tmp_path, labelled):
    assert quick(labelled, out=f"{tmp_path}/made/")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert os.path.isfile(tmp_path / "made" / "model.json")
