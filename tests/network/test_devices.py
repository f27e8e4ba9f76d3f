"""Where networks run: what is there, what is refused."""

import pytest
import torch

from pfamnet.errors import PfamnetError
from pfamnet.network.devices import autocast, pick_device

CPU = torch.device("cpu")


def test_half_precision_is_refused_on_a_cpu():
    with pytest.raises(PfamnetError, match="precision fp16 needs a CUDA device"):
        autocast(CPU, "fp16")


def test_precisions_of_a_cpu():
    for precision in ("auto", "fp32", "bf16"):
        context, scaled = autocast(CPU, precision)
        with context:
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert not scaled
        if precision != "auto":
            assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


@pytest.mark.parametrize("name", ["nonsense", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(PfamnetError, match=f"device '{name}' is not available"):
        pick_device(name)


def test_the_device_of_auto_is_there():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
