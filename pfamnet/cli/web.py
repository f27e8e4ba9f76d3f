"""The command line of the web app: `python -m pfamnet.web`."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import click

from ..errors import PfamnetError
from ..signals import stopping_in_order
from .common import CONTEXT, GroupedCommand, Whole, complain, options_of, threads_of, version_option

option = options_of("Basic options")


def command_of(sensitivity: str, gathering: bool, best: bool) -> list[str]:
    """The words of the `pfamnet-scan` that does the same as the page, but for model and sequences."""
    given = {f"--{sensitivity}": sensitivity != "default", "--cut_ga": gathering}
    words = [word for word, is_given in given.items() if is_given]
    return ["pfamnet-scan", *words, *(["--clan-overlaps", "best"] if best else [])]


@click.command("pfamnet-web", cls=GroupedCommand, context_settings=CONTEXT)
@version_option()
@option("--host", "<s>", "Address to listen on; 0.0.0.0: any.", default="127.0.0.1", show_default=True)
@option("--port", Whole(0, 65535), "Port to listen on; 0 takes any free one.", default=7860)
@option("--model", "<s>", "A model directory, or an HMM database.  [the model that ships with pfamnet]")
@option("--cpu", Whole(min=0), "Number of threads (0: 1).  [HMMER_NCPU, or all processors]")
def web(host, port, model, cpu):
    """Serve a page on which proteins are pasted or uploaded and their domains shown."""
    from ..web.app import free_port, make_app, serve

    if importlib.util.find_spec("gradio") is None:
        raise PfamnetError("gradio is not installed; pip install 'pfamnet[web]'")
    port, threads = free_port(host, port), threads_of(cpu)
    warn = lambda text: complain("pfamnet-web", text)
    with stopping_in_order(), tempfile.TemporaryDirectory(prefix="pfamnet-web.") as folder:
        # before gradio is imported: its files belong here, and it shall send no statistics
        stored = Path(folder, "gradio")
        os.environ |= {"GRADIO_TEMP_DIR": str(stored), "GRADIO_ANALYTICS_ENABLED": "False"}
        from ..scan.opening import shipped_model
        from ..web.scanning import WebScanner

        path = Path(model) if model else shipped_model()
        scanner = WebScanner(path, threads, Path(folder), warn, command_of)
        serve(make_app(scanner), host, port, stored, warn)
