"""What the trainings of a build draw: emitted rows, unless the options say no."""

import numpy as np
import pytest
import synthetic

import pfamnet.build.trainings as trainings
from pfamnet.build.fine_tune import EMITTED, esm_sampler, esm_settings, light_settings
from pfamnet.build.options import BuildOptions
from pfamnet.training.corpus import Corpus
from pfamnet.trainset.trainset import Fold


@pytest.mark.parametrize("recipe", [None, "full"])
def test_profiles_emit_examples_of_esm_if_there_are_any(recipe):
    domain = synthetic.domain(0, np.random.default_rng(1))
    corpus = Corpus(Fold([domain], ["d"], np.array([[0, 0, len(domain), 0]]), np.array([False])))
    for profiles, share in ((synthetic.emission(2), EMITTED), (None, 0)):
        made = esm_sampler(corpus, 2, 8, BuildOptions((), recipe=recipe), profiles)
        labels = [
            batch.classes[batch.examples == number]
            for batch in made.batches(0, 4096, 16)
            for number in range(len(batch.pooled))
        ]
        seen = np.mean([bool((classes == 2).any()) for classes in labels])  # a family without rows
        assert (seen > share / 3) if share else seen == 0


def test_a_batch_for_a_gpu_is_that_of_both_networks():
    assert light_settings(BuildOptions(())).batch == 16384
    assert light_settings(BuildOptions((), batch=32768)).batch == 32768
    assert esm_settings(BuildOptions((), batch=32768)).batch == 32768


def test_a_long_training_is_not_measured_more_often_than_it_needs_to_be():
    for residues in (10**6, 10**8, 10**9):
        options = BuildOptions((), batch=32768, esm_residues=residues, light_residues=residues)
        for settings in (esm_settings(options), light_settings(options)):
            assert settings.steps / settings.evaluate < 40


@pytest.mark.parametrize("options, emitting", [((), True), (("--emit", 0), False)])
def test_profiles_emit_examples_of_the_light_network_unless_it_is_asked_not(
    quick, labelled, monkeypatch, options, emitting
):
    seen = []

    class Spy(trainings.Sampler):
        def batches(self, *arguments, **more):
            made = super().batches(*arguments, **more)
            seen.append(self.source.emission)
            return made

    monkeypatch.setattr(trainings, "Sampler", Spy)
    status, said = quick(*options, labelled)
    assert status == 0, said
    assert seen and all((tables is not None) == emitting for tables in seen)
    assert not emitting or len(seen[0].starts) == 9
