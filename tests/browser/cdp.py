"""A small driver for headless Chromium over the DevTools protocol: open a page, press keys, hear errors."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import websocket

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
    *("--hide-scrollbars", "--disable-extensions", "--remote-debugging-port=0", "--remote-allow-origins=*"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MIDDLE = """node => {
    node.scrollIntoView({ block: "center", behavior: "instant" });
    const box = node.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
}"""
KEYS = {
    " ": ("Space", 32),
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39),
    "Home": ("Home", 36),
    "End": ("End", 35),
    "Tab": ("Tab", 9),
}


def chromium() -> str:
    """Path of Chromium or Chrome; CHROMIUM names another one. RuntimeError where there is none."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not found:
        raise RuntimeError(
            "the browser tests need Chromium: install it (apt-get install chromium) or set CHROMIUM to its path"
        )
    return found


class Browser:
    """A Chromium process with one page. ``errors`` are console errors and uncaught exceptions, ``requests`` every
    address asked for other than data: and blob: ones."""

    def __init__(self, width: int = 1200, height: int = 900, *flags: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="workbench-chromium-")
        command = [
            chromium(),
            *FLAGS,
            *flags,
            f"--user-data-dir={self.profile}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.numbers = itertools.count(1)
        try:
            self.socket = websocket.create_connection(self._address(), timeout=60, suppress_origin=True)
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def _address(self) -> str:
        port = Path(self.profile, "DevToolsActivePort")
        for _ in range(600):
            if port.is_file() and len(lines := port.read_text().split()) == 2:
                with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10) as answer:
                    pages = [target for target in json.load(answer) if target["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{chromium()} ended with exit status {self.process.returncode} before it could be driven"
                )
            time.sleep(0.05)
        raise RuntimeError(f"{chromium()} did not open its DevTools port within 30 s")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        with contextlib.suppress(Exception):
            self.socket.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict:
        """One protocol command; RuntimeError with the browser's message where it fails."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._heard(message)

    def _heard(self, message: dict) -> None:
        details = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                thrown = details["exceptionDetails"]
                self.errors.append(thrown.get("exception", {}).get("description") or thrown["text"])
            case "Runtime.consoleAPICalled" if details["type"] in ("error", "assert"):
                self.errors.append(
                    " ".join(str(part.get("value", part.get("description"))) for part in details["args"])
                )
            case "Log.entryAdded" if details["entry"]["level"] == "error":
                self.errors.append(f"{details['entry']['text']} {details['entry'].get('url', '')}".strip())
            case "Network.requestWillBeSent":
                address = details["request"]["url"]
                if not address.startswith(("data:", "blob:")):
                    self.requests.append(address)

    def open(self, address: str | Path) -> None:
        """Goes to a page (a Path becomes file://) and waits until it is loaded."""
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        self.call("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url.split('?')[0])}) && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The JSON value of a JavaScript expression, awaited where it is a promise; RuntimeError where it throws."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise RuntimeError(f"{script[:80]}: {thrown.get('exception', {}).get('description', thrown['text'])}")
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Waits until a JavaScript expression is truthy, over to another page if need be; TimeoutError otherwise."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.run(f"Boolean({condition})"):
                    return
            except RuntimeError as problem:
                if "navigated" not in str(problem):
                    raise
            time.sleep(0.05)
        raise TimeoutError(f"not true within {seconds} s: {condition}; errors: {self.errors}")

    def press(self, key: str, modifiers: int = 0) -> None:
        """Presses one key on whatever has the focus (modifiers: 1 alt, 2 control, 4 meta, 8 shift)."""
        code, number = KEYS.get(key, (f"Key{key.upper()}", ord(key.upper()) if len(key) == 1 else 0))
        text = {"text": key} if len(key) == 1 and not modifiers & 7 else {}
        known = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", **known, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def drag(self, start: tuple[float, float], *stops: tuple[float, float]) -> None:
        """Presses the mouse at a place, moves it through the stops and lets go; without a stop it is a click."""
        for kind, (x, y) in [
            ("mouseMoved", start),
            ("mousePressed", start),
            *(("mouseMoved", stop) for stop in stops),
            ("mouseReleased", (start, *stops)[-1]),
        ]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def centre(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, after it has been scrolled into view."""
        return tuple(self.run(f"({MIDDLE})(document.querySelector({json.dumps(selector)}))"))

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path, whole: bool = False) -> Path:
        """Saves what is in view, or the whole page, as PNG."""
        options = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options = {
                "captureBeyondViewport": True,
                "clip": {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000), "scale": 1},
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"]))
        return path
