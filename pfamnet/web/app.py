"""A small web app: paste or upload proteins, see their domains, download the tables.

`python -m pfamnet.web` serves it on this machine; it needs `pfamnet[web]` (gradio).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..errors import PfamnetError, os_reason

CHOICES = [("fast", "fast"), ("default", "default"), ("sensitive: slow, for few proteins", "sensitive")]
STYLE = """
.pfamnet-failed { margin: 0; padding: 10px 14px; border-radius: 8px; border: 1px solid #9b1c1c;
  background: #fdecec; color: #9b1c1c; font-weight: 600; overflow-wrap: anywhere; }
.pfamnet-told { margin: 0; padding: 4px 2px; overflow-wrap: anywhere; }
.dark .pfamnet-failed { background: #47191a; color: #ffb4ab; border-color: #ffb4ab; }
footer { display: none !important; }
#sequences textarea { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
"""


def free_port(host: str, port: int) -> int:
    """The port (if it is 0, any free one); PfamnetError if it is in use or not permitted."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            return probe.getsockname()[1]
    except UnicodeError:
        raise PfamnetError(f"cannot listen on {host}: not the name of a host") from None
    except OSError as error:
        raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: OSError) -> PfamnetError:
    return PfamnetError(f"cannot listen on {host} port {port}: {os_reason(error)}; choose another")


def serve(app, host: str, port: int, stored: Path, warn: Callable[[str], None]) -> None:
    """Serve until a signal ends it; `stored` is the folder of uploads and downloads."""
    import gradio
    from starlette.middleware import Middleware

    from .limits import LimitedRequests
    from .scanning import LIMIT

    theme = gradio.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        font=["system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "DejaVu Sans Mono", "monospace"],
    )
    looks = {"theme": theme, "css": STYLE, "footer_links": []}
    limits = {"middleware": [Middleware(LimitedRequests, folder=stored)]}
    conduct = {"share": False, "quiet": True, "prevent_thread_lock": True, "ssr_mode": False}
    conduct |= {"max_file_size": LIMIT, "app_kwargs": limits}
    shown = f"[{host}]" if ":" in host else host
    try:
        app.launch(server_name=shown, server_port=port, **conduct, **looks)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    print(f"pfamnet {__version__}: http://{shown}:{port} (Ctrl-C ends it)", flush=True)
    if host not in ("127.0.0.1", "::1", "localhost"):
        warn(f"warning: whoever can reach {host} can use it")
    try:
        threading.Event().wait()
    finally:
        app.close(verbose=False)


def make_app(scanner):
    """The page, as gradio's Blocks; `scanner` is a `WebScanner`."""
    import gradio

    from .scanning import LIMIT

    placeholder, label = ">name description\nMKV\u2026", f"Proteins as FASTA, up to {LIMIT // 1_000_000} MB"
    private = {"api_visibility": "private"}
    with gradio.Blocks(title="pfamnet", analytics_enabled=False, delete_cache=(60, 1800)) as app:
        gradio.Markdown(
            f"## pfamnet\nThe domains of your proteins: model {scanner.model.name}, "
            f"{len(scanner.model.families):,} families. Nothing leaves the machine on which this runs."
        )
        # it closes when there is a result, which is then seen without scrolling
        with gradio.Accordion("Sequences and options", open=True) as form:
            with gradio.Row():
                with gradio.Column(scale=3):
                    looks = {"lines": 10, "max_lines": 10, "elem_id": "sequences", "placeholder": placeholder}
                    text = gradio.Textbox(label=label, value="", **looks)
                with gradio.Column(scale=2):
                    upload = gradio.File(label="or a file, plain or compressed", type="filepath", height=130)
                    sensitivity = gradio.Radio(CHOICES, value="default", label="Sensitivity")
                    gathering = gradio.Checkbox(False, label="Gathering cutoffs (GA) of the families alone")
                    best = gradio.Checkbox(False, label="Of overlapping families of a clan, the best alone")
            with gradio.Row():
                example = gradio.Button("Example", size="md")
                clear = gradio.Button("Clear", size="md")
                go = gradio.Button("Find domains", variant="primary", size="md", elem_id="go")
        status, picture = gradio.HTML(elem_id="status"), gradio.HTML(elem_id="picture")
        downloads = {"file_count": "multiple", "interactive": False, "visible": False, "elem_id": "files"}
        files = gradio.File(label="Downloads", **downloads)
        given, shown = [text, upload, sensitivity, gathering, best], [status, picture, files]
        # of a text that is too long the browser sends only as much as shows that
        cut = f"(text, ...rest) => [(text || '').slice(0, {LIMIT + 1}), ...rest]"
        # the form is for people: programs get the three results
        conduct = {"js": cut, "api_name": "scan", "concurrency_limit": 1}
        done = go.click(answering(scanner), given, shown, **conduct)
        done.then(lambda picture: gradio.Accordion(open=not picture), picture, form, **private)
        example.click(lambda: (example_text(), None), None, [text, upload], **private)
        empty = lambda: ("", None, "", "", gradio.File(visible=False))
        clear.click(empty, None, [text, upload, status, picture, files], **private)
    return app.queue(max_size=20)


def answering(scanner):
    """The function behind the button, from (text, file, sensitivity, GA, best of clans) to (status, picture,
    files)."""
    import gradio

    from .scanning import framed, message, read_input

    def answer(text: str, upload: str | None, sensitivity: str, gathering: bool = False, best: bool = False):
        nothing = gradio.File(value=None, visible=False)
        try:
            records, last = read_input(text, upload), time.monotonic()
            yield message(f"0 of {len(records):,} proteins \u2026"), "", nothing
            for done in scanner.scan(records, sensitivity, gathering, best):
                if not isinstance(done, int):
                    files = gradio.File(value=done.files, visible=True)
                    yield message(done.summary), framed(done.page), files
                elif time.monotonic() - last > 0.5:
                    last = time.monotonic()
                    yield message(f"{done:,} of {len(records):,} proteins \u2026"), "", nothing
        except (PfamnetError, OSError) as error:
            reason = str(error) if isinstance(error, PfamnetError) else os_reason(error)
            yield message(reason, failed=True), "", nothing

    return answer


def example_text() -> str:
    """The example proteins that come with the package."""
    from ..scan.opening import shipped

    path = shipped("examples.fa")
    return path.read_text() if path else ""
