"""The model card: README.md of a model directory, made from its model.json alone.

The metadata at its head is the Hugging Face hub's, so a model directory can be uploaded as it is; the
words are in model_card.md.  What a build did not record, the card does not say.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import PurePath

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment

# identifiers that the hub knows; any other licence is named as "other"
LICENSES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsl-1.0 cc cc-by-2.0 cc-by-3.0
    cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-4.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cc0-1.0 ecl-2.0 epl-2.0 eupl-1.2 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 mit
    mpl-2.0 odbl openrail osl-3.0 other pddl unknown unlicense wtfpl zlib"""
RANKS = ("1", "32", "128")  # whose recall is among the metadata


def model_card(description: dict) -> str:
    """The text of README.md for the content of model.json."""
    made = description["provenance"]
    versions = {"pfamnet": description["pfamnet"], **made.get("versions", {}), "python": made.get("python")}
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters |= {"code": code, "name": base_name, "plain": plain, "option_text": option_text}
    environment.filters |= {"percent": "{:.2%}".format, "short": "{:g}".format}
    return environment.from_string(files(__package__).joinpath("model_card.md").read_text("utf-8")).render(
        description,
        options=made.get("options", {}),
        versions=[f"{name} {version}" for name, version in versions.items() if version],
        metadata=metadata(description).to_yaml(),
    )


def metadata(description: dict) -> ModelCardData:
    """What the hub reads. No pipeline tag: none of the hub's tasks is this one."""
    made, networks = description["provenance"], description["networks"]
    options = made.get("options", {})
    license = (options.get("license") or "unknown").lower()
    known = license in LICENSES.split()
    learnt = [*options.get("trainsets", []), *filter(None, [options.get("proteins")])]
    datasets = [re.sub(r"[^\w.-]+", "_", base_name(path)) for path in learnt]
    results = [
        EvalResult(
            task_type="protein-domain-annotation",
            task_name="naming the families of protein domains",
            dataset_type=datasets[0] if datasets else "unknown",
            dataset_name=f"validation set of {', '.join(datasets) or 'sequences emitted from the profiles'}",
            metric_type=kind,
            metric_value=value,
            metric_name=f"{name} network, {what}",
        )
        for name, network in networks.items()
        for kind, value, what in metrics(network.get("dev", {}))
    ]
    return ModelCardData(
        license=license if known else "other",
        license_name=None if known else re.sub(r"[^a-z0-9.-]+", "-", license).strip("-") or "other",
        library_name="pfamnet",
        tags=["biology", "protein", "protein-domains", "pfam", "hmm"] + ["esm"] * ("esm" in networks),
        base_model=options["base"] if made.get("base") == "hub" else None,
        datasets=datasets or None,
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=f"pfamnet model of {description['families']} families",
        eval_results=results or None,
    )


def metrics(dev: dict) -> list[tuple[str, float, str]]:
    """The hub's metric, value and meaning of each figure of a network on the validation set."""
    found = [
        ("accuracy", dev.get("accuracy"), "fraction of validation domains named correctly"),
        ("f1", dev.get("macro_f1"), "macro-F1 of validation domains"),
    ]
    for rank in RANKS:
        what = f"fraction of validation domains whose family is among the first {rank}"
        found.append(("recall", dev.get("recall", {}).get(rank), what))
    return [entry for entry in found if entry[1] is not None]


def base_name(path: str) -> str:
    """A file's name without its directories, which say nothing to others."""
    return PurePath(path).name or path


def option_text(value) -> str:
    """An option's value."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(base_name(item) if isinstance(item, str) else json.dumps(item) for item in values)


def plain(text: str) -> str:
    """Text of others as Markdown that says just that."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text of others between backticks, which it cannot end."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "¦") + "`"
