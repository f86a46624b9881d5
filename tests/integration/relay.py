"""The relay under test, in the relay host of a lab.

TURNPIKE_REFERENCE=coturn runs the same tests against coturn's turnserver in its place: a test that
coturn fails as well judges the wrong thing.
"""

import copy
import os
import re
import signal

from lab import OUTSIDE, OUTSIDE6, SERVICE, SERVICE6, check

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("TURNPIKE_BINARY", f"{TOP}/build/app/turnpike/turnpike")
REFERENCE = os.environ.get("TURNPIKE_REFERENCE") == "coturn"
REALM = "turnpike.test"
USER, PASSWORD = "alice", "open-sesame"
SECRET = "north-star"


def yaml_lines(value, indent=0):
    """A dict or list of plain values as lines of YAML."""
    pad = " " * indent
    items = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for key, item in items:
        head = f"{pad}-" if key == "-" else f"{pad}{key}:"
        if isinstance(item, (dict, list)) and item:
            yield head
            yield from yaml_lines(item, indent + 2)
        else:
            yield f"{head} {item if isinstance(item, (int, list)) else quoted(item)}"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def configuration(lab, device="af_packet", workers=1):
    """A complete configuration for the lab's wires, to be changed by a test as it likes."""
    hosts = [SERVICE, OUTSIDE][:lab.wires]
    hosts6 = [SERVICE6, OUTSIDE6][:lab.wires] if lab.ipv6 else []
    ports = [{"name": interface.rstrip("0"), "device": f"{device}:{interface}",
              "addresses": [f"{address}/24"], "mirror": f"tp{position}"}
             for position, (interface, address) in enumerate(zip(lab.relay_interfaces, hosts))]
    for port, address in zip(ports, hosts6):
        port["addresses"].append(f"{address}/64")
    return {
        "ports": ports,
        "listen": [f"{SERVICE}:3478"] + [f"[{SERVICE6}]:3478"] * lab.ipv6,
        "relay": [{"address": address, "ports": "49152-65535"}
                  for address in hosts[-1:] + hosts6[-1:]],
        "auth": {"realm": REALM, "users": [{"name": USER, "password": PASSWORD}]},
        # turnutils_uclient 4.6 binds channels up to 0x7fff; all clients of the lab share an address.
        "limits": {"channels": "rfc5766",
                   "answers": {"bindings-per-source": 0, "challenges-per-source": 0}},
        "peers": {"profile": "lan", "allow": ["198.18.0.0/15", "2001:db8:18::/47"]},
        "workers": {"count": workers},
        "log": {"stats-interval-s": 1},
        "admin": {"socket": lab.path("admin.sock")},
    }


class Relay:
    def __init__(self, lab, config=None, **options):
        self.lab = lab
        self.config = copy.deepcopy(config or configuration(lab, **options))
        self.path = lab.path("turnpike.yaml")
        self.process = None

    def write(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(yaml_lines(self.config)) + "\n")
        return self.path

    def start(self, *prefix):
        """Behind a command that starts it, where one is given."""
        self.process = self.lab.start("relay", *prefix, BINARY, "-c", self.write(), name="relay")
        self.process.wait_log(r"\binfo ready\b")
        return self

    def stop(self, sign=signal.SIGTERM):
        """Stop it in order: it ends with 0, complains of nothing and tells its last counters."""
        code = self.process.stop(sign)
        check(code == 0, f"the relay ended with {code}: {self.process.last_line()}")
        complaint = re.search(r"^.*\berror .*$", self.process.log(), re.MULTILINE)
        check(not complaint, f"the relay complained: {complaint and complaint[0]}")
        return self.counters("stopped")

    def counters(self, event="stats"):
        """The numbers of the last line of statistics; none before the first."""
        return self._numbers(event)

    def drops(self, event="stopped"):
        """{name: number} of what was dropped."""
        return self._numbers(f"{event}.drops")

    def _numbers(self, event):
        lines = re.findall(rf"\binfo {re.escape(event)} (.*)$", self.process.log(), re.MULTILINE)
        return {key: int(value) for key, value in re.findall(r"(\S+)=(\d+)", "".join(lines[-1:]))}

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


class ReferenceRelay(Relay):
    """coturn with the same addresses, ports and credentials."""

    def start(self):
        for port in self.config["ports"]:
            interface = port["device"].split(":")[1]
            for address in port["addresses"]:
                nodad = ("nodad",) if ":" in address else ()
                self.lab.run("relay", "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=0")
                self.lab.run("relay", "ip", "addr", "add", address, "dev", interface, *nodad)
        services = [listen.rpartition(":") for listen in self.config["listen"]]
        service_port = services[0][2]
        port_min, port_max = self.config["relay"][0]["ports"].split("-")
        auth = self.config["auth"]
        credentials = [f"--user={user['name']}:{user['password']}"
                       for user in auth.get("users", [])]
        for secret in auth.get("rest-secrets", []):
            credentials = ["--use-auth-secret", f"--static-auth-secret={secret}"]
        self.process = self.lab.start(
            "relay", "turnserver", "-n",
            *(f"--listening-ip={address.strip('[]')}" for address, _, _ in services),
            f"--listening-port={service_port}",
            *(f"--relay-ip={relay['address']}" for relay in self.config["relay"]),
            f"--min-port={port_min}", f"--max-port={port_max}", f"--realm={auth['realm']}",
            "--lt-cred-mech", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout",
            "--simple-log", "--no-stun-backward-compatibility",
            f"--pidfile={self.lab.path('coturn.pid')}", *credentials, name="relay")
        self.process.wait_log(r"IO method \(auth thread\)")
        return self

    def stop(self, sign=signal.SIGTERM):
        self.process.stop(sign)
        return {}


def start_relay(lab, config=None, **options):
    return (ReferenceRelay if REFERENCE else Relay)(lab, config, **options).start()


def turnpike(lab, *argv, timeout_s=20):
    """Run turnpike in the relay host to its end; the completed process."""
    return lab.attempt("relay", BINARY, *argv, timeout_s=timeout_s)
