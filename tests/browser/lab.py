"""A JupyterLab server of a test's own, and notebooks in it: opened, run, asked, photographed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.cdp import Browser

FLAGS = [
    *("--no-browser", "--ip=127.0.0.1", "--allow-root", "--LabApp.expose_app_in_browser=True"),
    *("--IdentityProvider.token=test", "--LabApp.news_url=None"),
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    # On a busy machine a page that draws answers a ping late; the server would hang up in the middle of a run.
    "--ZMQChannelsWebsocketConnection.websocket_ping_interval=600000",
]
QUIET = {"@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false"}}
#: JavaScript: the panel of the notebook in view.
NOTEBOOK = "[...jupyterapp.shell.widgets('main')][0]"


@contextmanager
def server(root: Path, work: Path) -> Iterator[str]:
    """A JupyterLab over the folder ``work``, with settings, kernels and caches under ``root``; gives the address that a
    notebook's path within ``work`` follows."""
    port = _free_port()
    for path, settings in QUIET.items():
        (root / "settings" / path).parent.mkdir(parents=True)
        (root / "settings" / path).write_text(json.dumps(settings))
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    folders |= {"IPYTHONDIR": "ipython", "WORKBENCH_CACHE": "records"}
    environment = os.environ | {name: str(root / folder) for name, folder in folders.items()}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "jupyterlab", *FLAGS, f"--port={port}", f"--ServerApp.root_dir={work}"]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", process, root / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(1200):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-1000:]}")


def open_notebook(browser: Browser, address: str) -> None:
    """Opens a notebook and waits for its kernel; ``address`` is the server's, with the notebook's path."""
    browser.call("Page.navigate", url=f"{address}?token=test&reset")
    browser.wait("globalThis.jupyterapp && document.querySelector('.jp-Notebook .jp-CodeCell')", 90)
    browser.wait(f"{NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'", 90)


def kernel(browser: Browser, code: str) -> str:
    """What a piece of Python prints in the notebook's kernel."""
    return browser.run(f"""new Promise(done => {{
        let text = '';
        const future = {NOTEBOOK}.sessionContext.session.kernel.requestExecute({{ code: {json.dumps(code)} }});
        future.onIOPub = message => (text += message.content.text ?? message.content.evalue ?? '');
        future.done.then(() => done(text.trim()));
    }})""")
