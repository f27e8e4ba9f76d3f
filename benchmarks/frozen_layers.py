"""How fast is ESM-2 fine-tuned if its lowest layers are frozen, and if their outputs are cached?

WORK is the work directory of a `pfamnet-build --base ESM2`, stopped by `--until data`.  The training's
own steps are timed, after the first one.

    python benchmarks/frozen_layers.py --threads 1 --threads 2 --out FILE WORK
"""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import click
import torch
from common import machine, markdown, save

from pfamnet.build.fine_tune import base_encoder, esm_network, esm_sampler, esm_settings
from pfamnet.build.material import MATERIAL, load_material
from pfamnet.build.options import BuildOptions
from pfamnet.network.devices import autocast
from pfamnet.network.esm import parameter_groups
from pfamnet.network.esm_packed import PackedEsm
from pfamnet.training.cache import CachedSampler, load_vectors, save_vectors
from pfamnet.training.loop import Training

DEVICE = torch.device("cpu")


@click.command()
@click.argument("work", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--threads", "counts", type=int, multiple=True, default=(1,), show_default=True)
@click.option("--steps", default=10, show_default=True, help="of 4,096 residues, for each row")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(work, counts, steps, out):
    """Residues per second of a training's steps."""
    options = json.loads((work / "options.json").read_text())
    options = BuildOptions(**options | {"trainsets": tuple(options["trainsets"])})
    depth = base_encoder(options).config.num_hidden_layers
    kinds = [(0, False), *((n, cached) for n in range(depth // 2, depth) for cached in (False, True))]
    rows = []
    for threads in counts:
        torch.set_num_threads(threads)
        for frozen, cached in kinds:
            rows.append({"threads": threads, "frozen": frozen, "cached": cached})
            rows[-1] |= timed(work, options, frozen, cached, steps)
    result = {"benchmark": "frozen_layers", "machine": machine(max(counts), ("numpy", "torch")), "rows": rows}
    header = ["frozen layers, cores", "residues/s", "residues/CPU s", "cached, made at residues/s"]
    cells = [
        [
            f"{row['frozen'] or 'none'}{', cached' * row['cached']}; {row['threads']}",
            f"{row['residues_per_s']:,}",
            f"{row['residues_per_cpu_s']:,}",
            f"{row['made_per_s']:,}" if row["cached"] else "–",
        ]
        for row in rows
    ]
    save(result | {"tables": {"frozen-layers": markdown(header, cells, result)}}, out)


def timed(work: Path, options: BuildOptions, frozen: int, cached: bool, steps: int) -> dict:
    """What some steps take, and the cache of as many residues."""
    options = replace(options, freeze=frozen, batch=4096, esm_residues=4096 * (steps + 1))
    train, _, keys, emission = load_material(work / MATERIAL)
    network = esm_network(base_encoder(options), len(keys), options)
    sampler, settings = esm_sampler(train, len(keys), network.block, options, emission), esm_settings(options)
    model, made = PackedEsm(network, frozen if cached else 0), {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        if cached:
            path, one = Path(folder, "vectors.npy"), settings.batch * settings.drawn
            begun = time.perf_counter()
            save_vectors(model, sampler, settings, one, path, autocast(DEVICE, options.precision)[0])
            made = {"made_per_s": round(one / (time.perf_counter() - begun))}
            sampler = CachedSampler(sampler, load_vectors(path))
        groups = parameter_groups(network, options.lr, options.head_lr)
        training = Training("esm", network, groups, sampler, settings, Path(folder), DEVICE, model=model)
        draws = training.draws(executor)
        training.step(next(draws))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            training.state.step += 1
            training.step(next(draws))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    residues = steps * settings.batch
    return {"residues_per_s": round(residues / wall), "residues_per_cpu_s": round(residues / cpu), **made}


if __name__ == "__main__":
    main()
