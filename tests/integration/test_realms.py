"""Two realms on two listeners of one relay, each with its own users, limits and peers."""

import re

import uclient
from lab import Lab, check, test
from relay import PASSWORD, REALM, SECRET, USER, configuration, start_relay

BLUE = "blue.test"
BLUE_PORT = 3479
N = 30
PACE = ("-n", str(N), "-z", "10")
AT_BLUE = ("-p", str(BLUE_PORT))


def two_realms(lab):
    config = configuration(lab)
    config["realms"] = [{
        "name": BLUE,
        "listen": [f"198.18.0.2:{BLUE_PORT}"],
        "users": [{"name": USER, "password": "azure"}],
        "rest-secrets": [SECRET],
        "limits": {"allocations": 4},
        # Not the peer, but the relay's own addresses: clients may reach each other.
        "peers": {"profile": "lan", "deny": ["198.18.0.20/32"]},
    }]
    return config


def realm_counters(relay, realm):
    lines = re.findall(rf'\binfo stopped\.realm realm="{re.escape(realm)}" (.*)$',
                       relay.process.log(), re.MULTILINE)
    check(len(lines) == 1, f"{len(lines)} lines of {realm}")
    return {key: int(value) for key, value in re.findall(r"(\S+)=(\d+)", lines[0])}


@test()
def test_each_realm_serves_its_own_users():
    """Media flow in both; neither takes a user of the other; peers and quota are the realm's."""
    with Lab() as lab:
        relay = start_relay(lab, two_realms(lab))
        uclient.start_peer(lab)
        blue = ("-u", USER, "-w", "azure")
        to_peer = ("-e", lab.peer_address)
        started = [
            (uclient.start(lab, *to_peer, *PACE, name="first"), N),
            (uclient.start(lab, "-y", *PACE, *AT_BLUE, credentials=blue, name="blue"), 2 * N)]
        for process, n_messages in started:
            uclient.check_no_loss(process, n_messages)
        rest = uclient.start(lab, "-y", *PACE, *AT_BLUE, credentials=("-u", "bob", "-W", SECRET))
        uclient.check_no_loss(rest, 2 * N)
        refused = [
            (uclient.start(lab, "-y", *PACE, *AT_BLUE, name="first-at-blue"),
             "a user of the first realm was served in the second"),
            (uclient.start(lab, "-y", *PACE, credentials=blue, name="blue-at-first"),
             "a user of the second realm was served in the first"),
            (uclient.start(lab, "-y", *PACE, credentials=("-u", "bob", "-W", SECRET)),
             "a REST user of the second realm was served in the first"),
            (uclient.start(lab, *to_peer, *PACE, *AT_BLUE, credentials=blue, name="denied"),
             "a peer that the realm denies was reached"),
            (uclient.start(lab, "-y", "-m", "6", *PACE, *AT_BLUE, credentials=blue, name="many"),
             "the realm has more allocations than it may")]
        for process, wrong in refused:
            check(process.wait(40) != 0, wrong)
        relay.stop()
        first, second = realm_counters(relay, REALM), realm_counters(relay, BLUE)
        # uclient begins by an allocation that it drops again.
        check(first["allocations_created"] == 2, f"the first realm made {first}")
        check(second["allocations_created"] >= 4, f"the second realm made {second}")
        check(first["unauthenticated"] > 0 and second["unauthenticated"] > 0,
              f"failures are not counted: {first}, {second}")
        check(first["quota_reached"] == 0 and second["quota_reached"] > 0,
              f"quotas are not counted: {first}, {second}")


@test()
def test_passwords_of_one_name_stay_apart():
    with Lab() as lab:
        relay = start_relay(lab, two_realms(lab))
        wrong = uclient.start(lab, "-y", *PACE, *AT_BLUE, credentials=("-u", USER, "-w", PASSWORD))
        check(wrong.wait(30) != 0, "the first realm's password was taken by the second")
        check("Cannot complete Allocation" in wrong.log(), wrong.last_line())
        check(relay.stop().get("allocations_created", 0) == 0, "an allocation was made")
