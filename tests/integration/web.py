"""HTTP requests from a host of the lab, and what the relay's metrics say."""

import http.client
import re

from lab import check

HERE = "127.0.0.1"
PORT = 9641
SAMPLE = re.compile(r'^([a-z_]+(?:\{.*\})?) (\S+)$')


def get(lab, path, host="relay", address=HERE, method="GET", timeout_s=5, headers=None):
    """(status, headers, text) of one request."""
    connection = http.client.HTTPConnection(address, PORT, timeout=timeout_s)
    try:
        with lab.inside(host):
            connection.connect()
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def metrics(lab):
    """{series as it is written: value}"""
    status, headers, text = get(lab, "/metrics")
    check(status == 200, f"/metrics: {status}")
    check(headers["Content-Type"].startswith("text/plain; version=0.0.4"),
          f"/metrics is {headers['Content-Type']}")
    samples = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            found = SAMPLE.match(line)
            check(found, f"no sample: {line}")
            check(found[1] not in samples, f"twice: {line}")
            samples[found[1]] = float(found[2])
    return samples


def total(samples, name, *labels):
    """The sum of a family, of the series that have all these labels."""
    return sum(value for series, value in samples.items()
               if re.match(rf"{name}(?:\{{|$)", series) and all(label in series for label in labels))


def settled(lab):
    """Metrics that are newer than any request before: they are made five times a second."""
    made = metrics(lab)["process_cpu_seconds_total"]
    samples = metrics(lab)
    while samples["process_cpu_seconds_total"] == made:
        samples = metrics(lab)
    return samples
