"""The recipe of fine-tuning, chosen on dev: rates, layers left alone, sampling.

Every row is a whole fine-tuning, its schedule run to the end, on the same families and as
many residues, and differs from the first in what its name says.  Dev is looked at before
the first step, at the end, and once more when the head is joined with the discriminant of
its vectors, as a build does.  Rows are written as they are done; the same command goes on.

    python benchmarks/rates.py --data SPLIT --base ESM2 --out FILE
"""

import json
import tempfile
from pathlib import Path

import click
import torch
from common import Clock, machine, save, share

from pfamnet.build.data import with_dev
from pfamnet.build.fine_tune import base_encoder, esm_groups, esm_network, esm_sampler
from pfamnet.build.pipeline import BuildOptions
from pfamnet.network.devices import autocast
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.discriminant import start_head
from pfamnet.training.head_finish import finish_head
from pfamnet.training.loop import Training, TrainSettings
from pfamnet.training.sampler import Corpus
from pfamnet.trainset.trainset import read_trainset

CPU = torch.device("cpu")
ROWS = {  # name -> what differs from the first
    "encoder 2e-4, head 1e-3, 3 layers left alone": {},
    "encoder 4e-4, head 4e-3": {"lr": 4e-4, "head_lr": 4e-3},
    "encoder 4e-4": {"lr": 4e-4},
    "encoder 1e-4, head 5e-4": {"lr": 1e-4, "head_lr": 5e-4},
    "encoder 5e-5, head 2e-4": {"lr": 5e-5, "head_lr": 2e-4},
    "head 4e-3": {"head_lr": 4e-3},
    "no layer left alone": {"freeze": 0},
    "5 of 6 layers left alone": {"freeze": 5},
    "families drawn as their rows": {"power": 1.0},
    "families drawn alike": {"power": 0.0},
    "crops of 128": {"crop": 128},
    "each layer below at the same rate": {"layer_decay": 1.0},
}


@click.command()
@click.option(
    "--data", required=True, type=click.Path(exists=True), help="a train set, as pfamnet-build takes it"
)
@click.option("--base", required=True, type=click.Path(exists=True, file_okay=False), help="ESM-2")
@click.option("--families", default=120, show_default=True, help="take the largest")
@click.option("--residues", default=400_000, show_default=True, help="that each row is trained on")
@click.option("--batch", default=2048, show_default=True, help="residues of a step")
@click.option("--dev", default=600, show_default=True, help="dev domains")
@click.option("--only", multiple=True, type=click.Choice(list(ROWS)), help="these rows alone")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="JSON file for the results")
def main(data, base, only, out, **sizes):
    """Compare recipes of fine-tuning."""
    torch.set_num_threads(1)
    result = {
        "benchmark": "rates",
        "machine": machine(1, ("pfamnet", "torch", "numpy")),
        "base": Path(base).name,
        "data": Path(data).name,
        **sizes,
    }
    rows = begun(out, result)
    trainset = with_dev(read_trainset((data,), top=sizes["families"]), BuildOptions(()).seed)
    for name in only or ROWS:
        if name not in rows:
            rows[name] = trained(ROWS[name], trainset, data, base, sizes)
            save(result | {"rows": {name: rows[name] for name in ROWS if name in rows}}, out)


def begun(out, result) -> dict:
    """Rows that a run of the same settings has measured already."""
    if not Path(out).exists():
        return {}
    before = json.loads(Path(out).read_text(encoding="utf-8"))
    same = [before.get(key) == result[key] for key in result if key != "machine"]
    return before["rows"] if all(same) else {}


def trained(differs, trainset, data, base, sizes) -> dict:
    """Dev accuracies of one fine-tuning, and what it took."""
    options = BuildOptions(
        (data,), base=base, **{"lr": 2e-4, "head_lr": 1e-3, "freeze": 3, "crop": 192} | differs
    )
    families, corpus = len(trainset.families), Corpus(trainset.train)
    context, _ = autocast(CPU, "auto")
    torch.manual_seed(options.seed)
    network = esm_network(base_encoder(options), families, options)
    start_head(network, corpus, context, training=sizes["residues"])
    measure = Measure(Corpus(trainset.dev), network.block, sizes["dev"])
    settings = TrainSettings(
        sizes["residues"], sizes["batch"], pool=16, evaluate=10**9, checkpoint_seconds=float("inf")
    )
    with tempfile.TemporaryDirectory() as folder, Clock() as clock:
        training = Training(
            "esm",
            network,
            esm_groups(network, options),
            esm_sampler(corpus, families, network.block, options),
            measure,
            settings,
            Path(folder),
            CPU,
            knows=True,
        )
        training.run()
        before, after = (
            float(line.split("\t")[5]) for line in (Path(folder) / "log.tsv").read_text().splitlines()[1:]
        )
    with tempfile.TemporaryDirectory() as folder:
        finish_head(network, corpus, measure, Path(folder) / "head", context, trained=sizes["residues"])
    with torch.inference_mode(), context:
        joined = measure(network)
    count = len(measure.regions)
    return {
        "before": share(round(before * count), count),
        "after": share(round(after * count), count),
        "joined": share(round(joined * count), count),
        "train_domains": len(corpus.domains),
        **clock.seconds,
    }


if __name__ == "__main__":
    main()
