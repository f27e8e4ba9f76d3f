"""What the trainings of a build draw: emitted rows, unless the options say no."""

import numpy as np
import pytest
import synthetic
import torch
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.plan7 import Background, Builder

import pfamnet.build.pipeline as pipeline
from pfamnet.build.fine_tune import EMITTED, esm_sampler
from pfamnet.build.options import BuildOptions
from pfamnet.training.corpus import Corpus
from pfamnet.training.emission import Emission
from pfamnet.trainset.trainset import Fold

CPU = torch.device("cpu")


def emission(families):
    alphabet, rng = Alphabet.amino(), np.random.default_rng(0)
    builder, background = Builder(alphabet, seed=1), Background(alphabet)
    sequences = [TextSequence(name=f"f{i}", sequence=synthetic.domain(i, rng)) for i in range(families)]
    return Emission.of([builder.build(s.digitize(alphabet), background)[0] for s in sequences])


@pytest.mark.parametrize("recipe, share", [(None, EMITTED), ("full", 0)])
def test_profiles_emit_examples_of_esm_unless_a_recipe_chose_the_rows(recipe, share):
    domain = synthetic.domain(0, np.random.default_rng(1))
    corpus = Corpus(Fold([domain], ["d"], np.array([[0, 0, len(domain), 0]]), np.array([False])))
    made = esm_sampler(corpus, 2, 8, BuildOptions((), recipe=recipe), emission(2), CPU)
    batches = made.batches(0, 4096, 16)
    # the second family has no rows
    seen = np.mean([bool((row == 2).any()) for batch in batches for row in batch.classes])
    assert (seen > share / 3) if share else seen == 0


@pytest.mark.parametrize("options, emitting", [((), True), (("--emit", 0), False)])
def test_profiles_emit_examples_of_the_light_network_unless_it_is_asked_not(
    quick, labelled, monkeypatch, options, emitting
):
    seen = []

    class Spy(pipeline.Sampler):
        def batches(self, *arguments, **more):
            made = super().batches(*arguments, **more)
            seen.append(self.source.emission)
            return made

    monkeypatch.setattr(pipeline, "Sampler", Spy)
    status, said = quick(*options, labelled)
    assert status == 0, said
    assert seen and all((tables is not None) == emitting for tables in seen)
    assert not emitting or len(seen[0].starts) == 9
