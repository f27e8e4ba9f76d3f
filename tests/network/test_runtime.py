"""Windows tile a protein exactly; a block's logits depend on what is near it alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import synthetic
import torch
import untrained
from conftest import environment, program
from encoders import tiny_encoder
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.errors import PfamnetError
from pfamnet.network.esm import EsmNetwork
from pfamnet.network.esm_files import save_encoder, save_head
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import export_light
from pfamnet.network.runtime import OVERLAP, WINDOW, EsmRuntime, LightRuntime, by_windows, windows
from pfamnet.network.tokens import encode


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    folder = tmp_path_factory.mktemp("light")
    torch.manual_seed(0)
    network = LightNetwork(LightConfig(families=4, embedding=16, width=32, context=32))
    with torch.no_grad():
        for _ in range(10):
            network(torch.randint(4, 24, (4, 256)))
    export_light(network.eval(), folder / "light.onnx")
    runtime = LightRuntime(folder / "light.onnx", 16, 4)
    runtime.folder = folder
    return runtime


@pytest.fixture(scope="module")
def esm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("esm")
    torch.manual_seed(0)
    network = EsmNetwork(tiny_encoder(16, 1, 2, 16), 4).eval()
    save_encoder(network.encoder, folder / "encoder")
    save_head(network, folder / "head.safetensors")
    runtime = EsmRuntime(folder / "encoder", folder / "head.safetensors")
    runtime.folder, runtime.original = folder, network
    return runtime


def random_protein(length, seed=0):
    return synthetic.random_sequence(np.random.default_rng(seed), length)


# Windows


@given(st.integers(1, 40_000))
def test_the_kept_parts_of_windows_tile_the_protein(length):
    made = windows(length)
    assert made[0][2] == 0 and made[-1][3] == length
    assert all(one[3] == other[2] for one, other in zip(made, made[1:]))
    for start, end, first, last in made:
        assert start <= first < last <= end <= length
        assert end - start <= WINDOW
        # what is kept lies far from an edge that is not the protein's
        assert first - start >= OVERLAP // 2 or start == 0
        assert end - last >= OVERLAP // 2 or end == length
        assert start % 16 == first % 16 == 0


@given(st.integers(1, 300), st.sampled_from([1, 2, 4]))
def test_every_block_comes_from_one_window(length, block):
    """Run over tokens that tell their own place."""

    def run(tokens):
        return [np.array([tokens[i] // block for i in range(0, len(tokens), block)])]

    sizes = windows.__defaults__
    windows.__defaults__ = (32, 16)
    try:
        [blocks] = by_windows(run, np.arange(length), block)
    finally:
        windows.__defaults__ = sizes
    assert blocks.tolist() == list(range(-(-length // block)))


# The light network


def test_a_block_does_not_depend_on_residues_far_away(light):
    one, other = random_protein(9000, 1), random_protein(9000, 2)
    mixed = one[:4480] + other[4480:]
    assert np.array_equal(light.logits(mixed)[: (4480 - 256) // 16], light.logits(one)[: (4480 - 256) // 16])


def test_windows_change_nothing(light):
    protein = random_protein(9500)
    cut = light.logits(protein)
    whole, _ = light.run(encode(protein))
    assert cut.shape == whole.shape == (594, 5)
    assert np.abs(cut - whole).max() < 1e-4


@pytest.mark.parametrize("length", [1, 15, 16, 17, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW - OVERLAP + 1])
def test_there_are_as_many_blocks_as_the_length_needs(light, length):
    assert light.logits(random_protein(length)).shape == (-(-length // 16), 5)


def test_threads_share_a_network(light):
    proteins = [random_protein(100 + 37 * i, i) for i in range(12)]
    alone = [light.logits(protein) for protein in proteins]
    with ThreadPoolExecutor(4) as pool:
        assert all(map(np.array_equal, alone, pool.map(light.logits, proteins)))


def test_letters_that_are_no_residues_are_unknown_ones(light):
    assert np.array_equal(light.logits("ACD*FJ"), light.logits("ACDXFX"))


@pytest.mark.parametrize("damage", ["missing", "rubbish", "cut"])
def test_what_is_no_network_is_refused_in_one_line(light, tmp_path, damage):
    if damage == "rubbish":
        (tmp_path / "light.onnx").write_bytes(b"no graph")
    if damage == "cut":
        (tmp_path / "light.onnx").write_bytes((light.folder / "light.onnx").read_bytes()[:-1000])
    with pytest.raises(PfamnetError, match="light.onnx: cannot be opened as a network") as refusal:
        LightRuntime(tmp_path / "light.onnx", 16, 4)
    assert "\n" not in str(refusal.value)


# The esm network


def test_the_esm_runtime_gives_the_networks_logits(esm):
    protein = random_protein(333)
    tokens = torch.from_numpy(encode(protein).astype(np.int64))[None]
    with torch.inference_mode():
        expected = esm.original(tokens, torch.tensor([333]))[0].numpy()
    assert np.abs(esm.logits(protein) - expected).max() < 1e-5


def test_a_long_protein_is_cut_into_windows_for_esm_too(esm):
    protein = random_protein(6000)
    logits = esm.logits(protein)
    assert logits.shape == (375, 5)
    first = esm.logits(protein[:WINDOW])
    assert np.abs(logits[: (WINDOW - OVERLAP) // 16] - first[: (WINDOW - OVERLAP) // 16]).max() < 1e-5


def test_a_device_that_is_not_there_is_refused(esm):
    with pytest.raises(PfamnetError, match="device 'nonsense' is not available"):
        EsmRuntime(esm.folder / "encoder", esm.folder / "head.safetensors", "nonsense")


def test_auto_is_a_device(esm):
    runtime = EsmRuntime(esm.folder / "encoder", esm.folder / "head.safetensors", "auto")
    assert runtime.logits("ACDEF").shape == (1, 5)


def test_esm_without_torch_says_what_to_install(esm, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PfamnetError, match=r"pip install 'pfamnet\[build\]'"):
        EsmRuntime(esm.folder / "encoder", esm.folder / "head.safetensors")


def test_a_scan_leaves_nothing_in_the_users_home(tmp_path):
    """onnxruntime would keep a database of its use there, and send it."""
    home, model = tmp_path / "home", untrained.write_model(tmp_path / "model")
    home.mkdir()
    query = tmp_path / "query.fa"
    query.write_text(">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ\n")
    asked = environment() | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    asked.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([*program("pfamnet-scan"), model, query], env=asked, check=True, capture_output=True)
    assert list(home.iterdir()) == []
