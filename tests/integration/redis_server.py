"""A Redis server of a test's own, on a socket in the lab's directory or a port of the relay's host."""

import os
import signal
import subprocess

from lab import check, wait_until
from relay import REALM

PASSWORD = "hush"
TCP_PORT = 6399


class RedisServer:
    def __init__(self, lab, tcp=False):
        self.lab = lab
        self.path = lab.path("redis.sock")
        self.tcp = tcp
        self.process = None

    def where(self):
        """What turnpike's configuration says of it."""
        if self.tcp:
            return {"server": f"127.0.0.1:{TCP_PORT}", "password": PASSWORD, "database": 3}
        return {"server": f"unix:{self.path}"}

    def start(self):
        """Start it, or start it again with all it had when it was stopped."""
        options = ["--port", TCP_PORT, "--bind", "127.0.0.1", "--requirepass", PASSWORD] \
            if self.tcp else ["--port", 0]
        self.process = self.lab.start(
            "relay", "redis-server", "--unixsocket", self.path, "--dir", self.lab.directory,
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
            *options)
        wait_until(lambda: self._cli("PING").stdout.strip() == "PONG", 10, "Redis answers")
        return self

    def kill(self):
        self.process.kill()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def stall(self):
        """It takes connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self):
        self._signal(signal.SIGCONT)

    def _signal(self, sign):
        # `ip netns exec` and setpriv become the server: one process.
        os.kill(self.process.pid, sign)

    def _cli(self, *words):
        argv = ["redis-cli", "-s", self.path]
        if self.tcp:
            argv += ["--no-auth-warning", "-a", PASSWORD, "-n", "3"]
        return subprocess.run([*argv, *map(str, words)], capture_output=True, text=True,
                              timeout=10)

    def cli(self, *words):
        done = self._cli(*words)
        check(done.returncode == 0 and not done.stdout.startswith("ERR"),
              f"redis-cli {words}: {done.stdout} {done.stderr}")
        return done.stdout.strip()

    def add_user(self, name, password, realm=REALM):
        """As coturn's turnadmin and the README do it."""
        key = subprocess.run(["md5sum"], input=f"{name}:{realm}:{password}", text=True,
                             capture_output=True, check=True).stdout[:32]
        self.cli("SET", f"turn/realm/{realm}/user/{name}/key", key)
