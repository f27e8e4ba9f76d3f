"""What can a head make of a fine-tuned ESM-2?  Heads on one encoder, compared on the validation set.

WORK is the work directory of `pfamnet-build --base ESM2 --until training ...`, begun with `--until data`: it
holds the trained network and the rows.  All heads see at most 16 training domains of each family, but the one
that was trained with the encoder.  Weights are chosen on 600 validation domains, as in a build.

    python benchmarks/heads.py --name clustered --out FILE WORK
"""

import json
import time
from pathlib import Path

import click
import numpy as np
import torch
from common import machine, markdown, percent, save, share
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from pfamnet.build.fine_tune import base_encoder, esm_network
from pfamnet.build.material import MATERIAL, load_material
from pfamnet.build.options import BuildOptions
from pfamnet.network.esm import embed
from pfamnet.training.checkpoints import BEST
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.discriminant import (
    EVENNESS,
    PER_FAMILY,
    SHARES,
    SHRINKAGE,
    SHUFFLED,
    TUNED,
    discriminant,
    frequencies,
    vectors_of,
    vectors_of_each,
)
from pfamnet.training.distillation import regions_of_each

CHOSEN = 600  # validation domains by which a build chooses
SIZES = ((1, 2), (3, 5), (6, 10), (11, 30), (31, 100), (101, 10**9))  # training rows
EPOCHS, RATE, BATCH, MEMBERS = 15, 2e-3, 32, 5
PARTS = 4  # of a vector, each with an attention of its own
SMOOTHING = 0.1


@click.command()
@click.argument("work", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", required=True, help="of the train set")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(work, name, out):
    """Accuracy of heads on the encoder of the build in WORK."""
    torch.set_num_threads(1)
    bench, begun = Bench(work), time.process_time()
    heads = bench.linear() | bench.trained()
    result = {
        "benchmark": "heads",
        "name": name,
        "machine": machine(1, ("numpy", "torch")),
        "domains": len(bench.family),
        "families": len(np.unique(bench.family)),
        "cpu_s": round(time.process_time() - begun),
        "heads": {head: bench.judged(logits) for head, logits in heads.items()},
        "chosen": bench.choices(),
    }
    save(result | {"tables": tables(result)}, out)


class Bench:
    """The network of a build, and the vectors of its rows."""

    def __init__(self, work: Path):
        options = json.loads((work / "options.json").read_text())
        self.material = load_material(work / MATERIAL)
        self.classes = len(self.material.keys) + 1
        known = BuildOptions(**options | {"trainsets": tuple(options["trainsets"])})
        self.network = esm_network(base_encoder(known), self.classes - 1, known).eval()
        self.network.load_state_dict(load_file(work / "esm" / BEST))
        train, dev = self.material.train, self.material.dev
        measure = Measure(dev, self.network.block, 10**9)
        chosen = {region.row for region in Measure(dev, self.network.block, CHOSEN).regions}
        context = torch.autocast("cpu", torch.bfloat16)
        self.vectors, self.labels = vectors_of_each(self.network, train, context, False, None, SHUFFLED)
        self.rows = frequencies(train, self.classes - 1)
        counts = train.domains[train.domains[:, 3] >= 0, 3]
        self.sizes = np.bincount(counts, minlength=self.classes - 1)
        regions = regions_of_each(train, PER_FAMILY, self.network.block, None)
        self.train = residues(self.network, regions, context)
        self.train_labels = torch.tensor([train.domains[region.row, 3] + 1 for region in regions])
        regions, self.pooled = vectors_of(self.network, measure.regions, context)
        self.dev = residues(self.network, regions, context)
        self.family = dev.domains[[region.row for region in regions], 3]
        self.right = torch.zeros(len(self.family), self.classes, dtype=torch.bool)
        for row, region in zip(self.right[:, 1:], regions):
            row[list(measure.right[region.row])] = True
        self.chosen = np.array([region.row in chosen for region in regions])
        layer = self.network.head[-1]
        self.own = layer.weight.detach().double(), layer.bias.detach().double()

    def logits(self, weight, bias) -> torch.Tensor:
        return self.pooled @ weight.T + bias

    def linear(self) -> dict[str, torch.Tensor]:
        """{head: logits} of heads that need no training."""
        own = self.logits(*self.own)
        found = {"as trained": own, "as trained − ln(rows)": own - self.rows}
        for shrinkage in (SHRINKAGE, 0.3, TUNED, 0.7):
            name = f"directions of the discriminant, shrinkage {shrinkage:g}"
            found[name] = self.logits(*discriminant(self.vectors, self.labels, self.classes, shrinkage))
        known = self.labels > 0
        unit, dev = F.normalize(self.vectors[known]), F.normalize(self.pooled)
        means = torch.zeros(self.classes, unit.shape[1], dtype=unit.dtype)
        means.index_add_(0, self.labels[known], self.vectors[known])
        found["nearest mean vector, by cosine"] = dev @ F.normalize(means).T
        near = torch.full((len(dev), self.classes), -torch.inf, dtype=unit.dtype)
        labels = self.labels[known].expand(len(dev), -1)
        found["nearest training row, by cosine"] = near.scatter_reduce(1, labels, dev @ unit.T, "amax")
        for share_, even in ((0.25, 0.0), (0.25, 1.0), (0.25, 2.0)):
            found[joined_name(share_, even)] = self.joined(share_, even)
        return found

    def joined(self, share_: float, even: float) -> torch.Tensor:
        """Logits of the trained head joined with the discriminant, as a build joins them."""
        own = self.logits(*self.own)
        other = self.logits(*discriminant(self.vectors, self.labels, self.classes, TUNED))
        return own + share_ * other * (own.std() / other.std()) - even * self.rows

    def trained(self) -> dict[str, torch.Tensor]:
        """{head: logits} of heads trained on the vectors of the residues."""
        found = {}
        for name, make in HEADS.items():
            members = [self.fitted(make, seed) for seed in range(MEMBERS if name == ENSEMBLE else 1)]
            found[f"trained anew: {name}"] = members[0]
            if len(members) > 1:
                found[f"trained anew: {MEMBERS} of these, mean log-probability"] = sum(members) / MEMBERS
        return found

    def fitted(self, make, seed: int) -> torch.Tensor:
        """Log-probabilities of the validation domains by one head after its training."""
        torch.manual_seed(seed)
        head = make(self.pooled.shape[1], self.classes)
        steps = EPOCHS * -(-len(self.train) // BATCH)
        optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.01)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(self.train)).split(BATCH):
                loss = F.cross_entropy(
                    head(*padded([self.train[row] for row in rows])),
                    self.train_labels[rows],
                    label_smoothing=SMOOTHING,
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rates.step()
        head.eval()
        with torch.inference_mode():
            parts = [
                head(*padded(self.dev[row : row + BATCH])).log_softmax(-1)
                for row in range(0, len(self.dev), BATCH)
            ]
        return torch.cat(parts).double()

    def judged(self, logits: torch.Tensor) -> dict:
        """Domains that are correct: of all, of those not chosen by, mean over families, by training rows."""
        correct = self.right[:, 1:].gather(1, logits[:, 1:].argmax(1, keepdim=True))[:, 0].numpy()
        count = lambda mask: share(int(correct[mask].sum()), int(mask.sum()))
        sizes = self.sizes[self.family]
        families = [correct[self.family == family].mean() for family in np.unique(self.family)]
        return {
            "all": count(np.ones(len(correct), bool)),
            "others": count(~self.chosen),
            "family_mean": round(100 * float(np.mean(families)), 2),
            "by_rows": {bin_name(*size): count((sizes >= size[0]) & (sizes <= size[1])) for size in SIZES},
        }

    def choices(self) -> dict:
        """The joined head by weights of the 600 domains, and by those of half of the families."""
        half = np.isin(self.family, np.random.default_rng(0).permutation(np.unique(self.family))[::2])
        found = {}
        for name, mask in ((f"{CHOSEN} domains", self.chosen), ("half of the families", half)):
            score = lambda choice: self.correct(self.joined(*choice), mask)  # noqa: B023 - used at once
            best = max(((x, even) for x in SHARES for even in EVENNESS), key=score)
            found[name] = {
                "weights": best,
                "on the others": self.shared(self.joined(*best), ~mask),
                "as trained": self.shared(self.logits(*self.own), ~mask),
            }
        return found

    def correct(self, logits: torch.Tensor, mask: np.ndarray) -> int:
        right = self.right[mask][:, 1:].gather(1, logits[mask][:, 1:].argmax(1, keepdim=True))
        return int(right.sum())

    def shared(self, logits: torch.Tensor, mask: np.ndarray) -> dict:
        return share(self.correct(logits, mask), int(mask.sum()))


# -- heads that are trained: vectors (B, L, H) and what counts of them (B, L) to logits (B, classes)


class Mean(nn.Module):
    """The mean of the residues, and a linear layer."""

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.out = nn.Linear(size, classes)

    def forward(self, vectors, inside):
        return self.out((vectors * inside[..., None]).sum(1) / inside.sum(1, keepdim=True))


class Cosine(Mean):
    """The same, by the cosine to a prototype of each family (Wang et al. 2018, arXiv:1801.05599)."""

    def forward(self, vectors, inside):
        mean = (vectors * inside[..., None]).sum(1) / inside.sum(1, keepdim=True)
        return 20 * F.linear(F.normalize(mean), F.normalize(self.out.weight))


class Attention(nn.Module):
    """Means that an attention over the residues weights, one for each part of the vector; a linear layer."""

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.score, self.out = nn.Linear(size, PARTS), nn.Linear(size, classes)

    def forward(self, vectors, inside):
        weights = self.score(vectors).masked_fill(~inside[..., None], -torch.inf).softmax(1)
        return self.out(torch.einsum("blph,blp->bph", vectors.unflatten(-1, (PARTS, -1)), weights).flatten(1))


class Convolution(nn.Module):
    """A convolution over five residues, its maximum over the domain, and a linear layer."""

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.convolve, self.out = nn.Conv1d(size, size // 2, 5, padding=2), nn.Linear(size // 2, classes)

    def forward(self, vectors, inside):
        found = self.convolve((vectors * inside[..., None]).transpose(1, 2)).transpose(1, 2)
        return self.out(F.relu(found.masked_fill(~inside[..., None], -torch.inf).amax(1)))


ENSEMBLE = "attention over residues"
HEADS = {
    "mean over residues": Mean,
    "mean over residues, cosine to prototypes": Cosine,
    "convolution, maximum over residues": Convolution,
    ENSEMBLE: Attention,
}


def padded(parts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (B, L, H) in single precision, and which of them count (B, L)."""
    vectors = nn.utils.rnn.pad_sequence(parts, batch_first=True).float()
    lengths = torch.tensor([len(part) for part in parts])
    return vectors, torch.arange(vectors.shape[1]) < lengths[:, None]


def residues(network, regions: list, context) -> list[torch.Tensor]:
    """The normed vectors (L, H) of each region's residues, in half precision."""
    found: list = [None] * len(regions)
    order = sorted(range(len(regions)), key=lambda place: len(regions[place].tokens))
    with torch.inference_mode(), context:
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            lengths = torch.tensor([len(regions[place].tokens) for place in places])
            parts = [torch.from_numpy(regions[place].tokens.astype(np.int64)) for place in places]
            hidden, _ = embed(network.encoder, nn.utils.rnn.pad_sequence(parts, batch_first=True), lengths)
            for place, length, vectors in zip(places, lengths.tolist(), network.head[0](hidden.float())):
                first, last = (block * network.block for block in regions[place][2:])
                found[place] = vectors[first : min(last, length)].half()
    return found


def bin_name(low: int, high: int) -> str:
    return f"{low} to {high}" if high < 10**9 else f"over {low - 1}"


def joined_name(share_: float, even: float) -> str:
    return f"as trained + {share_:g} × directions" + (f" − {even:g} × ln(rows)" if even else "")


def tables(result: dict) -> dict[str, str]:
    cells = [
        [name, f"{row['all']['percent']:.1f}", f"{row['family_mean']:.1f}"]
        for name, row in result["heads"].items()
    ]
    shown = ["as trained", "as trained − ln(rows)", joined_name(0.25, 2.0)]
    first = result["heads"][shown[0]]["by_rows"]
    sizes = [
        [
            name,
            first[name]["of"],
            *(f"{result['heads'][head]['by_rows'][name]['percent']:.1f}" for head in shown),
        ]
        for name in first
        if first[name]["of"]
    ]
    chosen = [
        [
            f"{name}: {row['weights'][0]:g} × directions − {row['weights'][1]:g} × ln(rows)",
            row["on the others"]["of"],
            percent(row["as trained"]),
            percent(row["on the others"]),
        ]
        for name, row in result["chosen"].items()
    ]
    others = ["weights chosen on", "other domains", "as trained, % correct (95 % interval)", "joined"]
    return {
        "heads": markdown(["head", "% of domains correct", "mean over families"], cells, result),
        "heads-chosen": markdown(others, chosen),
        "heads-by-rows": markdown(["training rows", "domains", *shown], sizes),
    }


if __name__ == "__main__":
    main()
