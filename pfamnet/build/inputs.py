"""What a build reads: its train set, the profiles it was given, and the plan of its recipe."""

from ..families import Family
from ..trainset.recipes import RECIPES
from ..trainset.sampling import plan
from ..trainset.trainset import TrainSet, read_trainset
from .data import given_profiles


def read_inputs(options) -> tuple[TrainSet, dict]:
    """The train set of these options, and the profiles of `--hmm` by accession.

    `options` has the fields of `build.BuildOptions`.
    """
    given = given_profiles(options.hmm) if options.hmm else {}
    trainset = read_trainset(
        options.trainsets,
        options.domains,
        options.families,
        holdout=options.holdout,
        seed=options.seed,
        top=options.top,
        only=set(given) if given else None,
        # what can be emitted needs no rows
        also=[Family(hmm.accession or hmm.name, hmm.name) for hmm in given.values()] if options.emit else [],
        cut=options.cut_domains,
        similarity=options.similarity,
    )
    return trainset, given


def planned(trainset: TrainSet, options):
    """The train set with the families of the options' recipe, rows to take of each, and the plan.

    Without a recipe the train set as it is, None and None.
    """
    if options.recipe is None:
        return trainset, None, None
    return plan(RECIPES[options.recipe], trainset, options.seed, options.power)
