"""The web app: its command, and the app over loopback where gradio is installed."""

import os
import re
import signal
import socket
import subprocess
import sys

import browser
import pytest
import untrained
from scanning import ENVIRONMENT, records

from pfamnet.cli import web as command
from pfamnet.cli.common import run
from pfamnet.errors import PfamnetError
from pfamnet.web import app as web
from pfamnet.web.scanning import LIMIT

COMMAND = [sys.executable, "-m", "pfamnet.web"]
GOOD = records("P15056", "P06213").decode()


def served(*arguments):
    """Exit status of the command in this process."""
    return run(command.web, list(map(str, arguments)))


def test_without_gradio_it_says_so(monkeypatch, capfd):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert served() == 1
    assert capfd.readouterr() == ("", "pfamnet-web: gradio is not installed; pip install 'pfamnet[web]'\n")


def test_a_port_in_use(monkeypatch, capfd):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: name)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert served("--port", port) == 1
    assert capfd.readouterr().err == (
        f"pfamnet-web: cannot listen on 127.0.0.1 port {port}: address already in use; choose another\n"
    )
    assert web.free_port("127.0.0.1", port) == port and web.free_port("127.0.0.1", 0) > 0
    for host in ("no.such.host.invalid", "192.0.2.1", "x" * 300):
        with pytest.raises(PfamnetError):
            web.free_port(host, 0)


def test_wrong_usage(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: name)
    for wrong in (("--port", "x"), ("--port", 65536), ("--cpu", -1), ("more",)):
        assert served(*wrong) == 2
    assert served("--port", 0, "--model", tmp_path / "none") == 1
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 5 and "no such file or directory" in said.err


def test_help_and_version_need_no_gradio():
    code = (
        "import sys; from pfamnet.cli.web import web; from pfamnet.cli.common import run; run(web, ['-h']); "
        "run(web, ['--version']); print([m for m in ('gradio', 'numpy', 'pyhmmer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout.splitlines()[-1] == "[]" and "--port" in done.stdout, done.stderr


def test_the_module_is_the_command():
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout.startswith("pfamnet ") and done.returncode == 0, done.stderr


def test_the_example_is_there():
    assert web.example_text().startswith(">P22216")


# With gradio


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of the app, as its command starts it."""
    pytest.importorskip("gradio")
    folder = tmp_path_factory.mktemp("app")
    model = untrained.write_model(folder / "model")
    temporary = folder / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--cpu", "1", "--model", str(model)],
        stdout=-1,
        stderr=-1,
        text=True,
        env=ENVIRONMENT | {"TMPDIR": str(temporary)},
    )
    said = process.stdout.readline()
    assert "http://127.0.0.1:" in said, process.stderr.read()
    yield said.split()[2]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")
    assert list(temporary.glob("pfamnet-web.*")) == []


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    """The function `scan` of the app; a file that was not made is None."""
    from gradio_client import Client

    client = Client(
        address,
        verbose=False,
        httpx_kwargs={"timeout": 120},
        download_files=str(tmp_path_factory.mktemp("downloads")),
    )

    def scan(text="", upload=None, sensitivity="default", gathering=False, best=False):
        given = text, upload, sensitivity, gathering, best
        status, picture, files = client.predict(*given, api_name="/scan")
        return status, picture, files["value"] if isinstance(files, dict) else files

    return scan


def test_the_app_scans(client):
    status, picture, files = client(GOOD)
    assert "2 proteins" in status and picture.startswith("<iframe") and "pfamnet-failed" not in status
    named = {os.path.basename(path).partition(".")[2]: path for path in files}
    assert set(named) == {"html", "tsv", "domtblout", "tblout", "pfamtblout", "gff3", "jsonl"}
    with open(named["html"], "rb") as page:
        assert [row[1] for row in browser.data_of(page.read()) if row[0] == "p"] == ["P15056", "P06213"]


def test_the_app_takes_files(client, tmp_path):
    from gradio_client import handle_file

    path = tmp_path / "mine.fa"
    path.write_text(GOOD)
    assert "2 proteins" in client(upload=handle_file(str(path)), sensitivity="fast")[0]
    assert "remove one of them" in client(GOOD, handle_file(str(path)))[0]


def test_the_app_refuses_in_one_line(client):
    for text, said in (
        (">a\nMK1", "illegal character"),
        ("MKV1", "not FASTA"),
        ("", "no sequences: paste"),
        (">a\n" + "M" * LIMIT, "exceeds the 2 MB"),
    ):
        status, picture, files = client(text)
        assert said.lower() in status.lower() and status.count("pfamnet-failed") == 1
        assert picture == "" and not files


@pytest.mark.parametrize("path", ("gradio_api/upload", "gradio_api/queue/join", "gradio_api/call/scan"))
def test_what_is_too_large_is_refused_while_it_arrives(address, path):
    """Of 500 MB that are announced none need be sent; without a length none are read."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    for length in ("Content-Length: 500000000", "Transfer-Encoding: chunked"):
        with socket.create_connection((host, int(port)), timeout=60) as stream:
            head = (
                f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
            )
            stream.sendall(head.encode())
            assert stream.recv(100).startswith(b"HTTP/1.1 413 ")


def test_options_and_a_bare_sequence(client):
    sequence = GOOD.split("\n", 1)[1].partition(">")[0]
    every, cut = (client(sequence, gathering=gathering)[0] for gathering in (False, True))
    assert "1 protein, " in every and "1 protein, " in cut
    number = lambda status: int(re.search(r"([\d,]+) domain", status)[1].replace(",", ""))
    assert 0 < number(cut) < number(every)


def test_nothing_is_injected(client):
    for text in browser.EVIL[:4]:
        name = text.replace(" ", "_")
        status, picture, _ = client(f">{name} {text}\nMK1\n")
        assert "<script" not in status and "<img" not in status and "illegal character" in status
        status, picture, _ = client(f">{name} {text}\n" + "MKV" * 30)
        assert "1 protein," in status and picture.count("<") == 2


def test_the_app_in_a_browser(address):
    """What is pasted is scanned and drawn, stays in its place, and nothing of it runs."""
    program, playwright = browser.needed(), pytest.importorskip("playwright.sync_api")
    evil = "</script><img/src=x/onerror=document.title='hacked'>"
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=browser.QUIET)
        page, asked, errors = chromium.new_page(), [], []
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(address, wait_until="domcontentloaded")
        box = page.locator("#sequences textarea")
        box.fill(f">{evil} {evil}\nMK1\n")
        page.locator("#go").click()
        page.wait_for_selector(".pfamnet-failed")
        assert evil in page.locator("#status").inner_text() and evil in box.input_value()
        box.fill(GOOD.replace(">P15056", f">{evil}"))
        page.locator("#go").click()
        drawn = page.frame_locator("#picture iframe")
        drawn.locator(".domain").first.wait_for(state="attached")  # below the window: not painted
        assert drawn.locator(".name").all_text_contents() == [evil, "P06213"]
        drawn.locator(".domain").first.click()
        assert (
            drawn.locator("#card a")
            .get_attribute("href")
            .startswith("https://www.ebi.ac.uk/interpro/entry/pfam/PF")
        )
        drawn.get_by_text("Table").click()
        rows = drawn.locator("tbody tr").count()
        drawn.locator("#search").fill("P06213")
        drawn.get_by_text("1 of 2 proteins").wait_for()
        assert 0 < drawn.locator("tbody tr").count() < rows
        assert page.locator("#files").get_by_text(".domtblout").count() == 1
        assert page.title() == "pfamnet" and errors == []
        assert page.locator("footer").count() == 0 or not page.locator("footer").is_visible()
        place = page.locator("#picture iframe").bounding_box()
        assert place["y"] < 300  # seen without scrolling: the form is closed
        assert {url for url in asked if not url.startswith((address, "data:", "blob:"))} == set()
        chromium.close()
