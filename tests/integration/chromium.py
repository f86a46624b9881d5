"""A headless Chromium in a host of the lab, driven over its --remote-debugging-pipe."""

import base64
import json
import os
import select
import time

from lab import LabError, check, wait_until

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--mute-audio",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


class Page:
    """One browser with one empty page."""

    def __init__(self, lab, host):
        self.name = f"chromium-{host}"
        self.pending = b""
        self.n_asked = 0
        read_theirs, self.write_fd = os.pipe()
        self.read_fd, write_theirs = os.pipe()
        for fd in (read_theirs, write_theirs):
            os.set_inheritable(fd, True)
        # The browser reads commands from descriptor 3 and writes to 4.
        self.process = lab.start(
            host, "bash", "-c", f'exec "$@" 3<&{read_theirs} 4>&{write_theirs}', "bash", "chromium",
            *FLAGS, f"--user-data-dir={lab.path(self.name)}", "--remote-debugging-pipe",
            "about:blank", name=self.name, keep_fds=(read_theirs, write_theirs))
        os.close(read_theirs)
        os.close(write_theirs)
        targets = self._ask("Target.getTargets")["targetInfos"]
        target = next(target for target in targets if target["type"] == "page")
        self.session = self._ask("Target.attachToTarget", targetId=target["targetId"],
                                 flatten=True)["sessionId"]

    def evaluate(self, expression, timeout_s=20):
        """The value of a JavaScript expression, a promise's when it is kept."""
        answer = self._ask("Runtime.evaluate", timeout_s, self.session, expression=expression,
                           awaitPromise=True, returnByValue=True)
        error = answer.get("exceptionDetails")
        check(not error, f"{self.name}: {error}")
        return answer["result"].get("value")

    def open(self, url):
        """Go there, and wait until it is loaded."""
        answer = self._ask("Page.navigate", 20, self.session, url=url)
        check("errorText" not in answer, f"{self.name}: {url}: {answer.get('errorText')}")
        wait_until(lambda: self.evaluate("location.href !== 'about:blank' && document.readyState")
                   == "complete", 20, f"{self.name} has {url}")

    def resize(self, width, height, mobile=False):
        self._ask("Emulation.setDeviceMetricsOverride", 20, self.session, width=width,
                  height=height, deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    def screenshot(self, path):
        """The whole page, as a PNG file."""
        answer = self._ask("Page.captureScreenshot", 20, self.session, format="png",
                           captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(answer["data"]))

    def close(self):
        self._send("Browser.close", None, {})
        self.process.wait(10)

    def _send(self, method, session, parameters):
        self.n_asked += 1
        command = {"id": self.n_asked, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self.write_fd, json.dumps(command).encode() + b"\0")
        return self.n_asked

    def _ask(self, method, timeout_s=20, session=None, **parameters):
        asked = self._send(method, session, parameters)
        end_s = time.monotonic() + timeout_s
        while True:
            answer = self._receive(end_s)
            if answer.get("id") == asked:
                check("result" in answer, f"{self.name}: {method}: {answer.get('error')}")
                return answer["result"]

    def _receive(self, end_s):
        while b"\0" not in self.pending:
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not select.select([self.read_fd], [], [], left_s)[0]:
                raise LabError(f"{self.name} does not answer")
            data = os.read(self.read_fd, 1 << 20)
            check(data, f"{self.name} is gone: {self.process.last_line()}")
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)
