"""The model card: what it says is what model.json says, and the hub can read it."""

import json

import pytest
from conftest import scan
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.build.model_card import LICENSES, metadata, model_card
from pfamnet.model.directory import open_model

OPTIONS = {
    "trainsets": ["/home/me/Pfam-A.seed.gz", "more.fa"],
    "domains": None,
    "hmm": None,
    "base": None,
    "emit": 50,
    "seed": 42,
    "license": None,
}
NETWORK = {
    "block": 16,
    "sensitivities": {"fast": {"candidates": 32, "most": 64, "recall": 0.98, "threshold": 1.0}},
    "check": [
        {"nominal": 0.1, "observed": 0.11, "kinds": {"shuffled": 0.02, "reversed": 0.06, "others": 0.11}}
    ],
    "dev": {
        "domains": 3380,
        "recall": {"1": 0.42396, "32": 0.93166},
        "accuracy": 0.8125,
        "regions": 1600,
        "family_mean": 0.7,
    },
}


def describe(provenance=None, networks=None, **options):
    """A description as a build makes it."""
    made = {
        "options": OPTIONS | options,
        "digests": {"/home/me/Pfam-A.seed.gz": "ab" * 32},
        "python": "3.11.7",
        "versions": {"torch": "2.13.0"},
        "base": None,
        "warnings": [],
    }
    return {
        "pfamnet": "0.1.0",
        "profiles": "profiles.h3z",
        "networks": networks or {"light": NETWORK},
        "families": 1500,
        "provenance": made | (provenance or {}),
    }


def test_options_that_are_zero_are_stated_and_those_not_given_are_not():
    card = model_card(describe(emit=0, seed=0, power=0.0, trainsets=(), cache=None))
    assert "| `emit` | `0` |" in card and "| `seed` | `0` |" in card and "| `power` | `0.0` |" in card
    assert "`trainsets`" not in card and "`cache`" not in card and "`base`" not in card


def read_yaml(text):
    return pytest.importorskip("yaml").safe_load(text)


def test_a_model_carries_its_card_and_the_digest_covers_it(light_model):
    model = open_model(light_model)
    assert "README.md" in model.description["files"]
    described = {name: value for name, value in model.description.items() if name not in ("files", "format")}
    assert (light_model / "README.md").read_text() == model_card(described)


def test_the_cards_figures_are_those_of_the_build(esm_model):
    description = json.loads((esm_model / "model.json").read_text())
    text = (esm_model / "README.md").read_text()
    assert text.startswith("---\n")
    card = read_yaml(text.split("---\n")[1])
    assert (card["license"], card["library_name"]) == ("unknown", "pfamnet")
    assert card["tags"][-1] == "esm" and card["datasets"] == ["domains.fa"]
    values = {
        (row["type"], row["name"].split()[0]): row["value"]
        for row in card["model-index"][0]["results"][0]["metrics"]
    }
    for name, network in description["networks"].items():
        assert values["accuracy", name] == network["dev"]["accuracy"] and 0 < network["dev"]["accuracy"] <= 1
        assert values["f1", name] == network["dev"]["macro_f1"]
        assert f"macro-F1 {network['dev']['macro_f1']:.4f}." in text
    for digest in description["provenance"]["digests"].values():
        assert digest in text
    assert "EsmModel.from_pretrained" in text and "the terms of that model apply" in text


def test_what_network_and_profiles_make_together_is_told_where_it_is_known():
    entry = {
        "weights": {"network": 0.4, "profile": 1.1, "length": 1.3, "rarity": 0},
        "domains": 400,
        "errors": {"network": 31, "profiles": 12, "both": 2},
    }
    assert "| `light` | 400 | 31 | 12 | 2 | 0.4, 1.1, 1.3, 0 |" in model_card(
        describe() | {"combination": {"light": entry}}
    )
    assert "together" not in model_card(describe())


def test_calls_of_each_kind_of_decoy_are_told():
    assert "| 0.1 | 0.11 | 0.02 | 0.06 | 0.11 |" in model_card(describe())


def test_each_sensitivity_has_its_row():
    assert "| fast | 32 | 64 | 98.00% |" in model_card(describe())


def test_the_hubs_client_reads_the_metadata(esm_model):
    cards = pytest.importorskip("huggingface_hub").ModelCard
    read = cards(model_card(describe(license="CC0-1.0"))).data
    assert (
        read.license == "cc0-1.0"
        and read.library_name == "pfamnet"
        and read.metrics == ["accuracy", "recall"]
    )
    results = {(row.metric_type, row.metric_value) for row in read.eval_results}
    assert results == {("accuracy", 0.8125), ("recall", 0.42396), ("recall", 0.93166)}
    assert cards(esm_model.joinpath("README.md").read_text()).data.eval_results


def test_licences_are_stated_or_said_to_be_unknown():
    assert metadata(describe()).license == "unknown"
    assert "Not stated by whoever built the model" in model_card(describe())
    assert metadata(describe(license="MIT")).license == "mit"
    other = metadata(describe(license="Our Own Licence, 2"))
    assert (other.license, other.license_name) == ("other", "our-own-licence-2")
    assert "`Our Own Licence, 2`, as stated" in model_card(describe(license="Our Own Licence, 2"))
    assert {"mit", "cc0-1.0", "other", "unknown"} <= set(LICENSES.split())


def test_a_base_hands_on_its_terms_and_is_named_where_it_is_on_the_hub():
    hub = describe({"base": "hub"}, base="facebook/esm2_t6_8M_UR50D")
    assert metadata(hub).base_model == "facebook/esm2_t6_8M_UR50D"
    assert "fine-tuned from `facebook/esm2_t6_8M_UR50D`" in model_card(hub)
    local = describe({"base": "local"}, base="/home/me/models/tiny")
    assert metadata(local).base_model is None and "fine-tuned from `tiny`" in model_card(local)
    assert "started from the weights of `old`" in model_card(describe(light_from="/home/me/old"))


def test_what_the_profiles_labelled_or_emitted_is_stated():
    searched = describe(trainsets=[], hmm="Pfam-A.hmm", proteins="/home/me/sprot.fa.gz")
    text = model_card(searched)
    assert "Proteins without labels: `sprot.fa.gz`" in text and "emitted from the profiles" not in text[:2000]
    assert metadata(searched).datasets == ["sprot.fa.gz"]
    alone = describe(trainsets=[], hmm="Pfam-A.hmm", proteins=None)
    assert "Everything that was learnt from was emitted from the profiles." in model_card(alone)
    assert metadata(alone).datasets is None


def test_directories_of_the_machine_are_not_told():
    assert "/home" not in model_card(
        describe(base="/home/me/x", hmm="/home/me/p.hmm", domains="/home/me/d.tsv")
    )


def test_warnings_of_the_build_are_among_the_limits():
    card = model_card(describe({"warnings": ["no dev fold: 4 of the train *sequences*"]}))
    assert r"- The build warned: no dev fold: 4 of the train \*sequences\*" in card.split("## Limits")[1]


def test_a_model_without_figures_has_a_card():
    network = {name: value for name, value in NETWORK.items() if name not in ("dev", "check")}
    description = {"pfamnet": "0.1.0", "networks": {"light": network}, "families": 3, "provenance": {}}
    assert "3 families" in model_card(description) and "model-index" not in model_card(description)


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@given(TEXT)
def test_names_of_others_add_nothing_to_the_card(name):
    """Neither lines, nor table cells, nor metadata."""
    plain = model_card(describe(trainsets=["a"], license="b"))
    odd = model_card(describe(trainsets=["x" + name], license="b" + name))
    assert len(odd.splitlines()) - len(plain.splitlines()) in (0, 1)  # license_name
    assert [line.count("|") for line in odd.splitlines() if line.startswith("|")] == [
        line.count("|") for line in plain.splitlines() if line.startswith("|")
    ]
    assert read_yaml(odd.split("---\n")[1])["library_name"] == "pfamnet"


def test_a_light_model_is_told_from_the_card_how_to_scan(light_model, tmp_path):
    """The command of the card, on the model itself."""
    assert "pfamnet-scan THIS_DIRECTORY proteins.fa" in (light_model / "README.md").read_text()
    (tmp_path / "proteins.fa").write_text(">a\nACDEFGHIKLMNPQRSTVWY\n")
    assert scan(light_model, tmp_path / "proteins.fa").stdout.startswith("#target_name")
