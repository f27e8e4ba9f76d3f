"""A small web app: paste or upload proteins, see their domains, download the tables.

`python -m pfamnet.web.app` starts it on this machine; it needs `pfamnet[web]` (gradio).
"""

from __future__ import annotations

import importlib.util
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import click

from .. import __version__
from ..cli.common import CONTEXT, GroupedCommand, complain, default_cpus, grouped, os_reason, version_option
from ..errors import PfamnetError
from ..signals import stopping_in_order

UPLOADS = "64mb"  # what is larger is not even taken in; what is taken has a limit of its own
EXAMPLE = "data/examples.fa"
EFFORTS = [("fast", "fast"), ("default", "default"), ("sensitive: slow, for few proteins", "sensitive")]
STYLE = """
.pfamnet-failed { margin: 0; padding: 10px 14px; border-radius: 8px; border: 1px solid #9b1c1c; background: #fdecec; color: #9b1c1c; font-weight: 600; overflow-wrap: anywhere; }
.pfamnet-told { margin: 0; padding: 4px 2px; overflow-wrap: anywhere; }
.dark .pfamnet-failed { background: #47191a; color: #ffb4ab; border-color: #ffb4ab; }
#sequences textarea { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
"""
option = grouped("Basic options")


@click.command("pfamnet-web", cls=GroupedCommand, context_settings=CONTEXT)
@version_option()
@option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="<s>",
    help="Address to listen on; 0.0.0.0 lets others in.",
)
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    metavar="<n>",
    help="Port to listen on; 0 takes any that is free.",
)
@option(
    "--model",
    metavar="<s>",
    help="A model directory, or an HMM database.  [the model that ships with pfamnet]",
)
@option(
    "--cpu",
    type=click.IntRange(min=0),
    metavar="<n>",
    help="Number of threads (0: 1).  [HMMER_NCPU, or all processors]",
)
def web(host, port, model, cpu):
    """Serve a page on which proteins are pasted or uploaded and their domains shown."""
    if importlib.util.find_spec("gradio") is None:
        raise PfamnetError("gradio is not installed; pip install 'pfamnet[web]'")
    port = free_port(host, port)
    threads = default_cpus() if cpu is None else max(1, cpu)
    with stopping_in_order(), tempfile.TemporaryDirectory(prefix="pfamnet-web.") as folder:
        # before gradio is imported: it shall keep what it keeps here, and call nobody
        os.environ |= {"GRADIO_TEMP_DIR": os.path.join(folder, "gradio"), "GRADIO_ANALYTICS_ENABLED": "False"}
        app = make_app(open_scanner(model, threads, folder))
        serve(app, host, port)


def open_scanner(model: str | None, threads: int, folder: str):
    """The `WebScanner` of a model, or of the one that ships."""
    from ..cli.scan import shipped_model
    from .scanning import WebScanner

    return WebScanner(Path(model) if model else shipped_model(), threads, Path(folder))


def free_port(host: str, port: int) -> int:
    """The port, once it is known that one can listen there.

    Raises PfamnetError where it is in use, or not to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            return probe.getsockname()[1]
    except OSError as error:
        raise PfamnetError(
            f"cannot listen on {host} port {port}: {os_reason(error)}; --host and --port name others"
        ) from None


def serve(app, host: str, port: int) -> None:
    """Serve until a signal ends it."""
    import gradio

    theme = gradio.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        font=["system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "DejaVu Sans Mono", "monospace"],
    )
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=UPLOADS,
            ssr_mode=False,
            theme=theme,
            css=STYLE,
            footer_links=["api"],
        )
    except OSError as error:
        raise PfamnetError(f"cannot listen on {host} port {port}: {os_reason(error)}") from None
    shown = f"[{host}]" if ":" in host else host
    print(f"pfamnet {__version__}: http://{shown}:{port} (Ctrl-C ends it)", flush=True)
    if host not in ("127.0.0.1", "::1", "localhost"):
        complain("pfamnet-web", f"note: whoever can reach {host} can use it")
    try:
        threading.Event().wait()
    finally:
        app.close(verbose=False)


def make_app(scanner):
    """The page, as gradio's Blocks; `scanner` is a `WebScanner`."""
    import gradio

    from .scanning import LIMIT

    answer = answering(scanner)
    with gradio.Blocks(title="pfamnet", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        gradio.Markdown(
            f"# pfamnet\nThe domains of your proteins: model {scanner.model.name}, "
            f"{len(scanner.model.families):,} families. Nothing leaves the machine on which this runs."
        )
        with gradio.Row():
            with gradio.Column(scale=3):
                text = gradio.Textbox(
                    label=f"Proteins as FASTA, up to {LIMIT // 1_000_000} MB",
                    lines=14,
                    max_lines=14,
                    elem_id="sequences",
                    placeholder=">name description\nMKV\u2026",
                    value="",
                )
            with gradio.Column(scale=2):
                upload = gradio.File(label="or a file, plain or gzip", type="filepath", height=150)
                effort = gradio.Radio(EFFORTS, value="default", label="Sensitivity")
                with gradio.Row():
                    example = gradio.Button("Example", size="md")
                    clear = gradio.Button("Clear", size="md")
                    go = gradio.Button("Find domains", variant="primary", size="md", elem_id="go")
        status = gradio.HTML(elem_id="status")
        picture = gradio.HTML(elem_id="picture")
        files = gradio.File(
            label="Downloads", file_count="multiple", interactive=False, visible=False, elem_id="files"
        )
        # of a text that is too long the browser sends no more than shows that
        cut = f"(text, file, effort) => [(text || '').slice(0, {LIMIT + 1}), file, effort]"
        go.click(
            answer,
            [text, upload, effort],
            [status, picture, files],
            js=cut,
            api_name="scan",
            concurrency_limit=1,
            scroll_to_output=True,
        )
        example.click(lambda: (example_text(), None), None, [text, upload], api_visibility="private")
        clear.click(
            lambda: ("", None, "", "", gradio.File(visible=False)),
            None,
            [text, upload, status, picture, files],
            api_visibility="private",
        )
    return app.queue(max_size=20)


def answering(scanner):
    """The function behind the button: (text, file, sensitivity) to (status, picture, files)."""
    import gradio

    from .scanning import framed, read_input, told

    def answer(text: str, upload: str | None, effort: str):
        nothing = gradio.File(value=None, visible=False)
        try:
            records, last = read_input(text, upload), time.monotonic()
            yield told(f"0 of {len(records):,} proteins \u2026"), "", nothing
            for done in scanner.scan(records, effort):
                if not isinstance(done, int):
                    yield told(done.summary), framed(done.page), gradio.File(value=done.files, visible=True)
                elif time.monotonic() - last > 0.5:
                    last = time.monotonic()
                    yield told(f"{done:,} of {len(records):,} proteins \u2026"), "", nothing
        except (PfamnetError, OSError) as error:
            message = str(error) if isinstance(error, PfamnetError) else os_reason(error)
            yield told(message[:1].upper() + message[1:], failed=True), "", nothing

    return answer


def example_text() -> str:
    """The example proteins that ship, wherever the package lies."""
    package = Path(__file__).resolve().parent.parent
    path = next((p for p in (package / EXAMPLE, package.parent / EXAMPLE) if p.exists()), None)
    return path.read_text() if path else ""
