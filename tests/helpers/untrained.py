"""A model directory of the golden profiles and an untrained network, made in a moment.

It proposes about half of the families for each protein, at random but always
the same ones, beside those whose words match, and is now and then sure of one.
"""

from dataclasses import replace

import golden
import torch
from safetensors.numpy import save_file

from pfamnet.families import write_families
from pfamnet.model.combination import Combination
from pfamnet.model.directory import PROFILES, WORDS, ModelWriter
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import export_light, save_light
from pfamnet.profiles.files import write_profiles
from pfamnet.profiles.words import columns_of

CLANS = {"Pkinase": "CL0016", "PK_Tyr_Ser-Thr": "CL0016"}


def write_model(path, candidates=12, weights=None, packed=True):
    """Write the model; `candidates` are for each 64 blocks, `weights` of its combined score, if any.

    Its profiles are packed as those of a build, or in HMMER's format.
    """
    families = golden.families()
    torch.manual_seed(13)
    network = LightNetwork(LightConfig(len(families), embedding=8, width=16, context=16)).eval()
    for layer in network.modules():  # a new network would call nothing
        if isinstance(layer, (torch.nn.Conv1d, torch.nn.Linear)):
            layer.reset_parameters()
            layer.bias.data.zero_()
    network.head.weight.data *= 40  # untrained logits are all but equal
    sensitivities = {
        mode: {"candidates": n, "most": n, "recall": 1.0, "threshold": -1e9, "passing": n}
        for mode, n in (("fast", candidates // 3), ("default", candidates), ("sensitive", 2 * candidates))
    }
    tails = [
        {"residues": residues, "scores": [score], "log_p": [-3.7], "scale": 0.3}
        for residues, score in ((64.0, 0.0), (1024.0, 1.0))
    ]
    calibration = {"tails": tails, "baselines": {}}
    light = {"block": network.block, "sensitivities": sensitivities, "calibration": calibration, "check": []}
    with ModelWriter(path) as writer:
        offsets = write_profiles(writer.folder / PROFILES, golden.hmms(), packed)
        write_families(
            writer.folder / "families.tsv",
            [
                replace(family, offset=offset, clan=CLANS.get(family.name, ""))
                for family, offset in zip(families, offsets)
            ],
        )
        save_file(columns_of(golden.hmms()), writer.folder / WORDS)
        save_light(network, writer.folder / "light.safetensors")
        export_light(network, writer.folder / "light.onnx")
        fitted = {"light": {"weights": Combination().to_json() | weights}} if weights else {}
        combination = {"combination": fitted} if fitted else {}
        writer.finish(
            {
                "pfamnet": "test",
                "profiles": PROFILES,
                "words": {"bits": 8.5, "letters": 8},
                "networks": {"light": light},
                "families": len(families),
                "provenance": {},
            }
            | combination
        )
    return path
