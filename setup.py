"""Installation of pfamnet; `pip install .` is all that scanning needs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
HUB = ["huggingface_hub>=1.0"]
BUILD = [*HUB, "torch>=2.5", "transformers>=5.0", "safetensors>=0.4", "onnx>=1.15", "tqdm>=4.60", "jinja2>=3"]
EXPLORE = ["pandas>=2", "matplotlib>=3.8"]
TABLE = ["pandas>=2", "polars>=1", "pyarrow>=15"]
FAMSA = ["pyfamsa>=0.5"]

setup(
    name="pfamnet",
    version=re.search(r'__version__ = "(.+)"', (HERE / "pfamnet/__init__.py").read_text())[1],
    description="Protein domains: proposed by a network, placed by profile HMMs",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.11",
    packages=[*find_packages(include=["pfamnet", "pfamnet.*"]), "pfamnet.data"],
    package_dir={"pfamnet": "pfamnet", "pfamnet.data": "data"},
    package_data={
        "pfamnet": ["py.typed"],
        "pfamnet.build": ["*.md"],
        "pfamnet.output": ["page/*"],
        "pfamnet.data": ["*", "*/*", "*/*/*"],
    },
    scripts=["bin/pfamnet-scan", "bin/pfamnet-build"],
    install_requires=["click>=8.1", "numpy>=1.26", "pyhmmer>=0.12,<0.13", "onnxruntime>=1.20"],
    extras_require={
        "build": BUILD,
        "gpu": [*BUILD, "bitsandbytes>=0.43"],
        "famsa": FAMSA,
        "hub": HUB,
        "explore": EXPLORE,
        "table": TABLE,
        "web": ["gradio>=6,<7"],
        "tensorboard": [*BUILD, "tensorboard>=2.15"],
        "wandb": [*BUILD, "wandb>=0.17"],
        "test": [
            *BUILD,
            *EXPLORE,
            *TABLE,
            *FAMSA,
            "hmmer>=3.4",
            "biopython>=1.80",
            "hmmer-tables>=0.5,<0.6",  # later ones ask for an older click than huggingface_hub does
            "tensorboard>=2.15",
            "accelerate>=1",
            "pytest>=8",
            "filelock",
            "pytest-xdist>=3",
            "hypothesis>=6",
            "ruff>=0.17,<0.18",
        ],
        "wrappers": [  # engines for tests/wrappers
            "cwltool>=3.1",
            "cwltest>=2.3",
            "snakemake>=9",
            "galaxy-tool-util>=26",
            "CT3>=3.4",
        ],
    },
)
