"""A headless Chromium, driven over its debugging pipe: nothing but the browser is needed."""

import base64
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser():
    """The program of the browser, None if there is none. MAPT_BENCH_BROWSER names another."""
    return os.environ.get("MAPT_BENCH_BROWSER") or next(
        filter(None, map(shutil.which, NAMES)), None
    )


@dataclass
class Page:
    """An open page, and what its browser reported."""

    write: int
    read: object
    session: str = ""
    count: int = 0
    events: list = field(default_factory=list)

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self.count:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self.events.append(found)

    def _next(self):
        text = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has closed its pipe")
            text += byte
        return json.loads(text)

    def open(self, path):
        """Open a file and wait until it has loaded. Reports on earlier pages are dropped."""
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            self.events.append(self._next())

    def run(self, script):
        """The value of an expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")

    def complaints(self):
        """Errors and warnings of the console, and uncaught exceptions."""
        return [
            each["params"]
            for each in self.events
            if each.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
            or (
                each.get("method") == "Runtime.consoleAPICalled"
                and each["params"]["type"] in ("error", "warning", "assert")
            )
        ]

    def requests(self):
        """Addresses that the page asked for, except those that hold their own data."""
        found = [
            each["params"]["request"]["url"]
            for each in self.events
            if each.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in found if not url.startswith("data:")]

    def show(self, width, *, dark=False, scripts=True, media=""):
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def picture(self, path, *, top=0, height=None):
        """Write a picture of the page from a position, the whole page by default."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": top,
            "width": size["width"],
            "height": min(height or size["height"], size["height"] - top),
            "scale": 1,
        }
        found = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def open_browser(profile):
    """An empty page of a browser with a profile folder of its own."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    for fd in (to_browser, from_browser):
        os.set_inheritable(fd, True)
    words = (
        f'exec "$0" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage '
        f"--no-first-run --hide-scrollbars --disable-extensions --disable-background-networking "
        f'--remote-debugging-pipe --user-data-dir="$1" about:blank '
        f"3<&{to_browser} 4>&{from_browser}"
    )
    process = subprocess.Popen(
        ["bash", "-c", words, find_browser(), str(profile)],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        with os.fdopen(to_us, "rb") as read:
            page = Page(from_us, read)
            targets = page.call("Target.getTargets")["targetInfos"]
            target = next(each["targetId"] for each in targets if each["type"] == "page")
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"
            ]
            for domain in ("Page", "Runtime", "Network", "Log"):
                page.call(f"{domain}.enable")
            yield page
    finally:
        process.kill()
        process.wait()
        os.close(from_us)
