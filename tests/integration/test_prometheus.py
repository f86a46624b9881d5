"""A real Prometheus reads the relay; the rules and the dashboard in config/ work with it."""

import http.client
import json
import re
import urllib.parse

import uclient
import web
from lab import SERVICE, Lab, check, run, test, wait_until
from relay import TOP, start_relay
from test_web import with_http

RULES = f"{TOP}/config/prometheus/turnpike.rules.yml"
DASHBOARD = f"{TOP}/config/grafana/turnpike.json"
PORT = 9090
MINUTES = 20
FINE = "1x30"
BOX = 'job="turnpike",instance="box"'
# alert: the series (name, more labels, values a minute) that make it, and no other, fire
ALERTS = {
    "TurnpikeDown": (("up", "", "0x30"),),
    "TurnpikeUnhealthy": (("turnpike_health", 'sign="workers"', "0x30"),),
    "TurnpikePortDown": (("turnpike_port_up", 'port="wire"', "0x30"),),
    "TurnpikeRestarted": (("process_start_time_seconds", "", "100x15 200x15"),),
    "TurnpikePortsLow": (("turnpike_relay_ports", 'state="free"', "9x30"),
                         ("turnpike_relay_ports", 'state="used"', "91x30")),
    "TurnpikeAllocationsNearLimit": (("turnpike_allocations", "", "91x30"),
                                     ("turnpike_allocations_max", "", "100x30")),
    "TurnpikeRxMissed": (("turnpike_port_rx_missed_total", 'port="wire"', "0+130x30"),
                         ("turnpike_port_rx_packets_total", 'port="wire"', "0+60000x30")),
    "TurnpikeTxFull": (("turnpike_drops_total", 'reason="tx_full"', "0+130x30"),
                       ("turnpike_worker_tx_packets_total", 'worker="0"', "0+60000x30"),
                       ("turnpike_worker_tx_packets_total", 'worker="1"', "0+6000x30")),
    "TurnpikeWorkerBusy": (("turnpike_worker_busy_seconds_total", 'worker="0"', "0+52x30"),),
    "TurnpikeRelaySlow": (
        ("turnpike_relay_latency_seconds_bucket", 'worker="0",le="0.001"', "0+98x30"),
        ("turnpike_relay_latency_seconds_bucket", 'worker="0",le="0.004"', "0+100x30"),
        ("turnpike_relay_latency_seconds_bucket", 'worker="0",le="+Inf"', "0+100x30")),
    "TurnpikeControlBehind": (("turnpike_shed_requests_total", 'urgency="other"', "0+50x30"),
                              ("turnpike_shed_requests_total", 'urgency="refresh"', "0+20x30")),
    "TurnpikeControlSlow": (
        ("turnpike_control_latency_seconds_bucket", 'le="0.1"', "0+98x30"),
        ("turnpike_control_latency_seconds_bucket", 'le="0.2"', "0+100x30"),
        ("turnpike_control_latency_seconds_bucket", 'le="+Inf"', "0+100x30")),
    "TurnpikeTableFull": (("turnpike_table_full_total", "", "0x15 1x15"),),
    "TurnpikeBuffersLow": (("turnpike_mbufs_free", 'pool="frames"', "9x30"),
                           ("turnpike_mbufs", 'pool="frames"', "100x30")),
    "TurnpikeLoginsFail": (("turnpike_realm_unauthenticated_total", 'realm="r"', "0+1300x30"),),
    "TurnpikeQuotaReached": (("turnpike_realm_quota_reached_total", 'realm="r"', "0+70x30"),),
    "TurnpikeServerErrors": (("turnpike_responses_total", 'code="508"', "0+70x30"),),
    "TurnpikeRedisDown": (("turnpike_redis_up", "", "0x30"),),
    "TurnpikeRecordsLost": (("turnpike_records_lost_total", "", "0x15 1x15"),),
    "TurnpikeLogLost": (("turnpike_log_lost_lines_total", "", "0+1x30"),),
    "TurnpikeControlStood": (("turnpike_control_stalls_total", "", "0x15 1x15"),),
    "TurnpikeMirrorLoses": (("turnpike_mirror_lost_total", "", "0+700x30"),),
}
# What the same series say of a box that is well.
WELL = {
    "up": FINE, "turnpike_health": FINE, "turnpike_port_up": FINE,
    "process_start_time_seconds": "100x30", "turnpike_allocations": "89x30",
    "turnpike_mbufs_free": "11x30", "turnpike_redis_up": FINE, "turnpike_table_full_total": "5x30",
    "turnpike_records_lost_total": "5x30", "turnpike_log_lost_lines_total": "5x30",
    "turnpike_control_stalls_total": "5x30",
    "turnpike_port_rx_missed_total": "0+30x30", "turnpike_worker_busy_seconds_total": "0+50x30",
    "turnpike_shed_requests_total": "0+20x30", "turnpike_realm_unauthenticated_total": "0+1000x30",
    "turnpike_realm_quota_reached_total": "0+50x30", "turnpike_mirror_lost_total": "0+500x30",
}
WELL_BY_LABEL = {'reason="tx_full"': "0+30x30", 'state="free"': "11x30", 'state="used"': "89x30",
                 'code="508"': "0+50x30", 'worker="0",le="0.001"': "0+100x30",
                 'le="0.1"': "0+100x30"}


def series(name, labels, values):
    return {"series": f"{name}{{{BOX}{',' * bool(labels)}{labels}}}", "values": values}


def firing(inputs, names):
    """A test of promtool: of these series, exactly those alerts fire."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]
    return {"interval": "1m", "input_series": inputs, "promql_expr_test": [
        {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
         "eval_time": f"{MINUTES}m", "exp_samples": samples}]}


@test()
def test_each_alert_fires_for_its_reason_alone():
    with open(RULES, encoding="utf-8") as file:
        alerts = re.findall(r"- alert: (\w+)", file.read())
    check(sorted(alerts) == sorted(ALERTS), f"not tested: {set(alerts) ^ set(ALERTS)}")
    tests = [firing([series(*one) for one in rows], [name]) for name, rows in ALERTS.items()]
    well = [series(name, labels, WELL_BY_LABEL.get(labels, WELL.get(name, values)))
            for rows in ALERTS.values() for name, labels, values in rows]
    tests.append(firing(well, []))
    # Who empties a box knows that it turns clients away; nothing else is excused by that.
    errors = series("turnpike_responses_total", 'code="508"', "0+600x30")
    faults = series("turnpike_responses_total", 'code="500"', "0+600x30")
    draining = series("turnpike_draining", "", "1x30")
    tests.append(firing([errors, draining], []))
    tests.append(firing([faults, draining], ["TurnpikeServerErrors"]))
    # Nor is it news that it ends then; of one that took clients again it is.
    down = series("up", "", "1x9 0x20")
    tests.append(firing([down, series("turnpike_draining", "", "0x5 1x3 stale")], []))
    tests.append(firing([down, series("turnpike_draining", "", "1x5 0x3 stale")],
                        ["TurnpikeDown"]))
    tests.append(firing([errors, series("turnpike_draining", "", "0x30")], ["TurnpikeServerErrors"]))
    with Lab() as lab:
        path = lab.path("alerts.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"rule_files": [RULES], "evaluation_interval": "1m", "tests": tests}, file)
        run("promtool", "test", "rules", path, timeout_s=40)


def start_prometheus(lab):
    path = lab.path("prometheus.yml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [RULES],
            "scrape_configs": [{"job_name": "turnpike", "static_configs": [
                {"targets": [f"{web.HERE}:{web.PORT}"]}]}],
        }, file)
    prometheus = lab.start(
        "relay", "prometheus", f"--config.file={path}", f"--storage.tsdb.path={lab.path('tsdb')}",
        f"--web.listen-address={web.HERE}:{PORT}")
    prometheus.wait_log("Server is ready to receive web requests")


def ask(lab, path, **parameters):
    connection = http.client.HTTPConnection(web.HERE, PORT, timeout=10)
    with lab.inside("relay"):
        connection.connect()
    connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    check(answer["status"] == "success", f"{parameters}: {answer.get('error')}")
    return answer["data"]


def query(lab, expression):
    return ask(lab, "query", query=expression)["result"]


def expressions(node):
    """Every expression of a dashboard, wherever it stands."""
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"]
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def by_hand(expression):
    """As Grafana asks it with all jobs and boxes chosen."""
    for variable, value in (("$__rate_interval", "10s"), ("$job", ".*"), ("$instance", ".*")):
        expression = expression.replace(variable, value)
    check("$" not in expression, f"an unknown variable: {expression}")
    return expression


@test(limit_s=90)
def test_prometheus_reads_rules_and_dashboard():
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    with Lab() as lab:
        config = with_http(lab)
        # Nobody is there; the series of Redis are, all the same.
        config["auth"]["redis"] = "on"
        config["redis"] = {"server": "127.0.0.1:6379"}
        config["records"] = {"file": lab.path("records.jsonl"), "observe-percent": 100}
        relay = start_relay(lab, config)
        start_prometheus(lab)
        uclient.start_peer(lab)
        client = uclient.start(lab, "-e", lab.peer_address, "-n", "1500", "-z", "10")
        wait_until(lambda: query(lab, 'up{job="turnpike"} == 1'), 10, "it is scraped")
        wanted = [by_hand(expression) for expression in expressions(dashboard["panels"])]
        check(len(wanted) > 35, f"only {len(wanted)} expressions")
        for expression in wanted:
            wait_until(lambda: query(lab, expression), 20, f"{expression} has a series")
        query(lab, by_hand(dashboard["annotations"]["list"][0]["expr"]))
        for variable in dashboard["templating"]["list"][1:]:
            name, label = re.match(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            check(ask(lab, f"label/{label}/values", **{"match[]": by_hand(name)}),
                  f"no values of {label}")
        groups = ask(lab, "rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        check(len(rules) == len(ALERTS), f"{len(rules)} rules")
        wait_until(lambda: all(rule["health"] == "ok" for group in ask(lab, "rules")["groups"]
                               for rule in group["rules"]), 10, "all rules were judged")
        pending = {alert["labels"]["alertname"] for alert in ask(lab, "alerts")["alerts"]}
        check(pending <= {"TurnpikeRedisDown"}, f"alerts of a box that is well: {pending}")
        check(SERVICE not in json.dumps(dashboard), "an address of the lab in the dashboard")
        uclient.check_no_loss(client, 1500)
        relay.stop()
