"""The model card: README.md of a model directory, made of its model.json alone.

It begins with metadata as the Hugging Face hub reads it (YAML), so that a
model directory can be uploaded as it is; then data, figures, use and limits in
words.  Nothing in it is known from elsewhere: what a build did not record, the
card does not say.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath

# identifiers that the hub knows; what is not among them is named as "other"
LICENSES = [
    "afl-3.0",
    "agpl-3.0",
    "apache-2.0",
    "artistic-2.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsl-1.0",
    "cc",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "ecl-2.0",
    "epl-2.0",
    "eupl-1.2",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "isc",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "mit",
    "mpl-2.0",
    "odbl",
    "openrail",
    "osl-3.0",
    "other",
    "pddl",
    "unknown",
    "unlicense",
    "wtfpl",
    "zlib",
]
ABOUT = {"fast": "`--fast`", "default": "default", "sensitive": "`--sensitive`"}
WHAT = "naming the families of protein domains"


def model_card(description: dict) -> str:
    """The text of README.md for what stands in model.json."""
    sections = [
        heading(description),
        data(description),
        licence(description),
        figures(description),
        use(description),
        limits(description),
        provenance(description),
    ]
    lines = [
        "---",
        *yaml_lines(metadata(description)),
        "---",
        *(line for part in sections for line in ["", *part]),
    ]
    return "\n".join(lines).lstrip("\n") + "\n"


# -- metadata


def metadata(description: dict) -> dict:
    """What the hub reads. No pipeline tag: none of the hub's tasks is this one."""
    chosen, options = options_of(description).get("license"), options_of(description)
    known = (chosen or "unknown").lower()
    fields = {"license": known if known in LICENSES else "other"}
    if known not in LICENSES:
        fields["license_name"] = re.sub(r"[^a-z0-9.-]+", "-", known).strip("-") or "other"
    fields |= {
        "library_name": "pfamnet",
        "tags": [
            "biology",
            "protein",
            "protein-domains",
            "pfam",
            "hmm",
            *(["esm"] if "esm" in description["networks"] else []),
        ],
    }
    if description["provenance"].get("base") == "hub":
        fields["base_model"] = options["base"]
    names = [re.sub(r"[^\w.-]+", "_", name) for name in trainsets(description)]
    fields |= {"datasets": names} if names else {}
    metrics = [
        entry for name, network in description["networks"].items() for entry in network_metrics(name, network)
    ]
    if metrics:
        fields["metrics"] = sorted({entry["type"] for entry in metrics})
        fields["model-index"] = [
            {
                "name": title(description),
                "results": [
                    {
                        "task": {"type": "protein-domain-annotation", "name": WHAT},
                        "dataset": {
                            "type": names[0] if names else "unknown",
                            "name": f"dev part of {', '.join(names)}",
                        },
                        "metrics": metrics,
                    }
                ],
            }
        ]
    return fields


def network_metrics(name: str, network: dict) -> list[dict]:
    dev, found = network.get("dev", {}), []
    if "accuracy" in dev:
        found.append(
            {
                "type": "accuracy",
                "value": dev["accuracy"],
                "name": f"{name} network, share of dev domains named rightly",
            }
        )
    if "macro_f1" in dev:
        found.append(
            {"type": "f1", "value": dev["macro_f1"], "name": f"{name} network, macro-F1 of dev domains"}
        )
    for rank in ("1", "32", "128"):
        if rank in dev.get("recall", {}):
            found.append(
                {
                    "type": "recall",
                    "value": dev["recall"][rank],
                    "name": f"{name} network, share of dev domains whose family is among the first {rank}",
                }
            )
    return found


def yaml_lines(value, indent: int = 0) -> list[str]:
    """Block YAML of dictionaries, lists and scalars; text is quoted as in JSON where it need be."""
    lines, margin = [], " " * indent
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        start = f"{margin}{scalar(key)}:" if isinstance(value, dict) else f"{margin}-"
        if isinstance(item, (dict, list)) and item:
            inner = yaml_lines(item, indent + 2)
            # a list's item begins beside its dash
            lines += (
                [start, *inner] if isinstance(value, dict) else [f"{start} {inner[0].strip()}", *inner[1:]]
            )
        else:
            lines.append(f"{start} {scalar(item)}")
    return lines


def scalar(value) -> str:
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]*(/[A-Za-z][\w-]*)?", value, re.ASCII)
    reserved = isinstance(value, str) and value.lower() in (
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    )
    if plain and not reserved:
        return value
    text = json.dumps(value)
    # to YAML 1.1 a number without a point is no number where it has an exponent
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


# -- words


def title(description: dict) -> str:
    return f"pfamnet model of {description['families']} families"


def heading(description: dict) -> list[str]:
    networks = description["networks"]
    named = "the `light` network (a small convolutional network, for CPUs)" + (
        " and the `esm` network (a fine-tuned ESM-2 with a head)" if "esm" in networks else ""
    )
    return [
        f"# {title(description)[0].upper()}{title(description)[1:]}",
        "",
        f"It finds the domains of {description['families']} families in proteins. {named[0].upper()}{named[1:]} "
        "proposes families, profile HMMs of only those place, align and score them; the numbers of such hits "
        "are those of hmmscan with Z = the number of families.",
    ]


def data(description: dict) -> list[str]:
    options = options_of(description)
    names, profiles = trainsets(description), options.get("hmm")
    lines = ["## Data", "", f"Train sets: {listed(names)}."]
    if options.get("domains"):
        lines.append(f"Domains of their proteins: {code(base_name(options['domains']))}.")
    lines.append(
        f"Profiles: {code(base_name(profiles))}, taken as they are."
        if profiles
        else "Profiles: built from the train sets' rows."
    )
    if options.get("emit"):
        lines.append(
            f"Families of fewer than {options['emit']} rows were filled up with sequences emitted "
            "from their profiles."
        )
    return [
        *lines,
        "",
        "`families.tsv` lists the families: accession, name, clan, description, cutoffs, training "
        "rows; `profiles.h3m`, or `profiles.h3m.gz`, holds their profiles in HMMER's format.",
    ]


def licence(description: dict) -> list[str]:
    options = options_of(description)
    chosen, base = options.get("license"), options.get("base")
    said = (
        f"{code(chosen)}, as stated by who built the model."
        if chosen
        else "Not stated by who built the model. Ask them, and see the terms of the data above."
    )
    lines = ["## Licence", "", said]
    if base:
        lines.append(
            f"`encoder/` was fine-tuned from {code(base_name(base, hub=is_hub(description)))} and the light network "
            "learnt from its outputs: the terms of that model hold for this one."
        )
    if options.get("light_from"):
        lines.append(
            f"The light network began with the weights of {code(base_name(options['light_from']))}: the terms "
            "of that model hold for this one."
        )
    return lines


def figures(description: dict) -> list[str]:
    lines = [
        "## Figures",
        "",
        "On dev domains, by the networks alone, without profiles. What was chosen by dev "
        "(the weights kept, thresholds) makes them a little better than they would be elsewhere.",
    ]
    for name, network in description["networks"].items():
        dev = network.get("dev", {})
        lines += ["", f"### `{name}`", ""]
        if "accuracy" in dev:
            lines += [
                f"Named rightly: {percent(dev['accuracy'])} of {dev['regions']} dev domains; "
                f"mean of the families {percent(dev['family_mean'])}"
                + (f"; macro-F1 {dev['macro_f1']:.4f}." if "macro_f1" in dev else "."),
                "",
            ]
        if dev.get("recall"):
            lines += [
                f"Share of {dev['domains']} dev domains whose family is among the first n of their protein:",
                "",
                *table(["n", *dev["recall"]], [["%", *(f"{100 * r:.2f}" for r in dev["recall"].values())]]),
                "",
            ]
        lines += table(
            ["mode", "candidates for each 1,024 residues", "at most", "recall aimed at"],
            [
                [
                    ABOUT.get(mode, mode),
                    row["candidates"],
                    row.get("most", row["candidates"]),
                    percent(row["recall"]),
                ]
                for mode, row in network["modes"].items()
            ],
        )
        if network.get("check"):
            lines += ["", *false_calls(network["check"])]
    return lines + together(description.get("combination", {}))


def together(combination: dict) -> list[str]:
    """What networks and profiles make of single domains."""
    rows = [
        [
            f"`{name}`",
            entry["domains"],
            *(entry["errors"][which] for which in ("network", "profiles", "both")),
            f"{entry['weights']['profile']:g}",
        ]
        for name, entry in combination.items()
        if "errors" in entry
    ]
    return (
        [
            "",
            "### Network and profiles together",
            "",
            "Wrong names of single dev domains (`pfamnet-scan --top`); of "
            "both together with weights that were fitted on the other half of these:",
            "",
            *table(
                [
                    "network",
                    "dev domains",
                    "network alone",
                    "profiles of its candidates",
                    "both",
                    "weight of profiles",
                ],
                rows,
            ),
        ]
        if rows
        else []
    )


def false_calls(check: list[dict]) -> list[str]:
    """What a network calls where nothing is to be called."""
    kinds = list(check[0].get("kinds", {}))
    what = (
        "on shuffled and reversed sequences and on domains whose own family and clan may not be named (others)"
        if "others" in kinds
        else "on shuffled and reversed sequences"
    )
    return [
        f"Calls of the network alone {what}, which should be as many as the E-value says"
        f"{' of the sort that has more' if 'others' in kinds else ''}:",
        "",
        *table(
            ["E-value", "calls a sequence", *kinds],
            [
                [f"{row[name]:g}" for name in ("nominal", "observed")]
                + [f"{row['kinds'][kind]:g}" for kind in kinds]
                for row in check
            ],
        ),
    ]


def use(description: dict) -> list[str]:
    lines = [
        "## Use",
        "",
        "For finding domains in protein sequences, from single proteins to proteomes; "
        "with pfamnet installed:",
        "",
        "```sh",
        "pfamnet-scan hf:ORG/NAME proteins.fa        # from the hub, then from the cache",
        "pfamnet-scan THIS_DIRECTORY proteins.fa     # from a copy",
        "```",
        "",
        "Every file's SHA-256 stands in `model.json` and is checked whenever the model is opened.",
    ]
    if "esm" in description["networks"]:
        lines += [
            "",
            "`encoder/` is an ESM-2 in Hugging Face's layout:",
            "",
            "```python",
            "from transformers import EsmModel",
            'encoder = EsmModel.from_pretrained("THIS_DIRECTORY/encoder")',
            "```",
        ]
    return lines


def limits(description: dict) -> list[str]:
    lines = [
        "## Limits",
        "",
        f"- It knows its {description['families']} families and no others; that nothing is found does not mean "
        "that there is no domain.",
        "- A family that the network does not propose is not found (recall above), unless `--mode profiles` "
        "tries them all.",
        "- The network names sister families of a clan for each other more often than others.",
        "- Hits are predictions. They are no evidence of function by themselves, and not for clinical use.",
    ]
    if options_of(description).get("hmm"):
        lines.append(
            "- Where the train labels came from these very profiles, the figures say how much of what "
            "HMMER finds the network finds too, not that either is right."
        )
    lines += [f"- The build warned: {plain(text)}" for text in description["provenance"].get("warnings", [])]
    return lines


def provenance(description: dict) -> list[str]:
    made = description["provenance"]
    versions = (
        {"pfamnet": description.get("pfamnet")} | made.get("versions", {}) | {"python": made.get("python")}
    )
    lines = [
        "## Provenance",
        "",
        "Made by `pfamnet-build` with "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        + ".",
        "",
    ]
    rows = [
        [code(name), code(shown(value))]
        for name, value in options_of(description).items()
        if value not in (None, False, [])
    ]
    lines += table(["option", "value"], rows)
    if made.get("digests"):
        lines += [
            "",
            *table(
                ["input", "SHA-256"],
                [[code(base_name(name)), code(digest)] for name, digest in made["digests"].items()],
            ),
        ]
    return lines


# -- pieces


def options_of(description: dict) -> dict:
    return description["provenance"].get("options", {})


def is_hub(description: dict) -> bool:
    return description["provenance"].get("base") == "hub"


def trainsets(description: dict) -> list[str]:
    return [base_name(name) for name in options_of(description).get("trainsets", [])]


def base_name(path: str, hub: bool = False) -> str:
    """A file's name without its directories, which say nothing to others."""
    return path if hub else PurePath(path).name or path


def shown(value) -> str:
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(base_name(item) if isinstance(item, str) else json.dumps(item) for item in values)


def listed(names: list[str]) -> str:
    return ", ".join(map(code, names)) or "not recorded"


def plain(text: str) -> str:
    """Text of others as Markdown that says just that."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))


def code(text) -> str:
    """Text of others between backticks, which it cannot end."""
    return "`" + " ".join(str(text).split()).replace("`", "'").replace("|", "¦") + "`"


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def table(head: list, rows: list[list]) -> list[str]:
    return ["| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]]
