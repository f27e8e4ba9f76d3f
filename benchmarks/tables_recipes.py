"""The table of recipes.json (see `tables.py`), beside what is known of the original."""

HEADER = [
    "recipe",
    "families",
    "train rows",
    "network",
    "residues trained on",
    "minutes",
    "on",
    "dev rows",
    "accuracy, % (95 % interval)",
    "macro-F1",
]
UNKNOWN = "not published"
# The system that these recipes come from: what was ever said of it.
ORIGINAL = [
    [
        "specialist, the original",
        "1,000",
        UNKNOWN,
        "–",
        UNKNOWN,
        "45",
        "one A100 (GPU)",
        UNKNOWN,
        "97.9",
        UNKNOWN,
    ],
    ["generalist-70k, the original", "5,000", "70,000", "–", *[UNKNOWN] * 6],
    ["generalist-400k, the original", "5,000", "400,000", "–", *[UNKNOWN] * 6],
]


def recipes(results):
    """The original's rows, then one for each network of each model."""
    rows = [line for result in results for model in result["models"] for line in lines(model)]
    return HEADER, [*ORIGINAL, *rows]


def lines(model):
    for name, network in model["networks"].items():
        right = network["accuracy"]
        of = f" of {network['dev_families']:,} families" if network.get("dev_families") else ""
        f1 = network["macro_f1"]
        yield [
            f"{model['recipe']}, here",
            f"{model['families']:,}",
            f"{model['rows']:,}",
            f"`{name}`",
            f"{network['residues']:,}",
            network["minutes"],
            place(model["machine"]),
            f"{right['of']:,}{of}",
            f"{right['percent']:.1f} ({right['interval'][0]:.1f} to {right['interval'][1]:.1f})",
            "–" if f1 is None else f"{f1:.3f}",
        ]


def place(machine):
    if not machine:
        return "not recorded"
    threads = machine["threads"]
    return machine["gpu"] or f"{threads} core{'s' if threads > 1 else ''} of {machine['cpu']}"


def commands(results):
    """The command of each model, as a caption."""
    made = [model["command"] for result in results for model in result["models"]]
    return "\n```sh\n" + "\n".join(made) + "\n```\n" if made else ""
