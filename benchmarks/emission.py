"""What do sequences that profiles emit lack, compared with real domains?

For some families, one real domain of proteins that the network was not trained on, and sequences that the
profile emits with its match probabilities raised to several powers. Each is searched with its own profile
without filters, and ranked by the network.

    python benchmarks/emission.py --model DIR --proteins FASTA --domains TABLE --out FILE
"""

import click
import numpy as np
from common import machine, markdown, read_labels, read_model, save

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import OpenedModel, open_model
from pfamnet.network.candidates import best_blocks
from pfamnet.profiles.files import emit_sequences
from pfamnet.profiles.search import ProfileSearch
from pfamnet.profiles.thresholds import Thresholds
from pfamnet.records import Record

POWERS = (1.0, 1.5, 1.75, 2.0, 3.0)
FIRST = (1, 8, 64, 512)


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--families", "count", default=600, show_default=True, help="at random, of those there")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, domains, count, out):
    """Scores and ranks of real domains, and of emitted sequences."""
    model = open_model(model_path)
    real = real_domains(model, proteins, domains, count)
    sets = {"real, complete matches": real}
    for power in POWERS:
        sets[f"emitted, power {power:g}"] = {
            family: emit_sequences(model.store.hmm(family), 1, 1, power)[0] for family in real
        }
    rows = [{"of": name, **measured(model, some)} for name, some in sets.items()]
    result = {
        "benchmark": "emission",
        "machine": machine(1),
        "model": read_model(model_path).about,
        "families": len(real),
        "sets": rows,
    }
    header = [
        "sequences",
        "bits per match state, mean",
        "10 %",
        "90 %",
        *(f"% among the first {n}" for n in FIRST),
    ]
    cells = [[row["of"], *row["bits_per_state"], *row["first"].values()] for row in rows]
    save(result | {"tables": {"emission": markdown(header, cells, result)}}, out)


def real_domains(model: OpenedModel, proteins: str, domains: str, count: int) -> dict[int, str]:
    """{family: one domain of it}, of at least 0.9 times the length of its profile."""
    labels, found = read_labels(model.families, domains), {}
    for record in read_fasta(proteins):
        for start, end, family in labels.get(record.name, ()):
            if family >= 0 and end - start + 1 >= 0.9 * model.families[family].length:
                found.setdefault(family, []).append(record.sequence[start - 1 : end])
    rng = np.random.default_rng(0)
    chosen = rng.permutation(sorted(found))[:count].tolist()
    return {family: found[family][int(rng.integers(len(found[family])))] for family in chosen}


def measured(model: OpenedModel, sequences: dict[int, str]) -> dict:
    """Bits per match state by each family's own profile, and ranks by the network, in percent."""
    everything = Thresholds(E=np.inf, domE=np.inf).unfiltered()
    search = ProfileSearch(model.store, model.families, everything)
    records = [Record(str(family), "", text, family) for family, text in sequences.items()]
    found = search.search(records, [[family] for family in sequences])
    scores = [hits[0].score if hits else 0.0 for hits in found]
    bits = np.array(scores) / [model.families[family].length for family in sequences]
    runtime, ranks = model.runtime("light", "cpu"), []
    for family, text in sequences.items():
        families, peaks = best_blocks(runtime.blocks(text))
        own = peaks[families == family]
        ranks.append(int((peaks > own[0]).sum()) if len(own) else len(model.families))
    percent = lambda n: round(100 * float((np.array(ranks) < n).mean()), 1)
    spread = [bits.mean(), *np.quantile(bits, (0.1, 0.9))]
    return {
        "bits_per_state": [round(float(value), 2) for value in spread],
        "first": {str(n): percent(n) for n in FIRST},
    }


if __name__ == "__main__":
    main()
