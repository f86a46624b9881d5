"""The page and the check of the relay in a headless Chromium, on a desk and on a phone.

TURNPIKE_SCREENSHOTS names a directory that keeps what they looked like.
"""

import json
import os

import web
from chromium import Page
from lab import CLIENT, CLIENT6, SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, SECRET, USER, start_relay
from stunlib import Client
from test_web import with_http

URL = f"http://{SERVICE}:{web.PORT}"
DESK, PHONE = (1280, 900), (390, 844)
# Anything that left the page, or was kept from running.
WATCHED = "performance.getEntriesByType('resource').map(entry => entry.name)"


def look(lab, page, name):
    """On both sizes, nothing is wider than the screen; a picture of each."""
    for size, (width, height) in (("desk", DESK), ("phone", PHONE)):
        page.resize(width, height, mobile=size == "phone")
        wide = page.evaluate("document.documentElement.scrollWidth")
        check(wide <= width, f"{name} is {wide} wide on a {size} of {width}")
        directory = os.environ.get("TURNPIKE_SCREENSHOTS", lab.directory)
        page.screenshot(os.path.join(directory, f"{name}-{size}.png"))


def check_at_home(page):
    away = [name for name in page.evaluate(WATCHED) if not name.startswith(f"{URL}/")]
    check(not away, f"loaded from elsewhere: {away}")


def texts(page, selector):
    return page.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector)})].map(node => node.innerText)")


@test(limit_s=90)
def test_page_shows_the_box_at_work():
    with Lab() as lab:
        config = with_http(lab, workers=2, page="on")
        config["realms"] = [{"name": "<b>bold</b>", "listen": [f"{SERVICE}:3479"],
                             "users": [{"name": "x", "password": "y"}]}]
        relay = start_relay(lab, config)
        page = Page(lab, "client")
        page.open(f"{URL}/")
        wait_until(lambda: texts(page, ".tile b"), 10, "the page has figures")
        check(texts(page, "#ready") == ["ready"], "it is ready")
        with lab.inside("client"):
            client = Client((SERVICE, 3478), USER, PASSWORD)
        with client:
            client.allocate()
            for _ in range(20):
                client.send(b"\xffneither STUN nor ChannelData")
            wait_until(lambda: texts(page, ".tile b")[0] == "1", 10, "the allocation is there")
            wait_until(lambda: any("not_stun" in text for text in texts(page, "#drops td")), 10,
                       "the drops are named")
        check(len(texts(page, "#workers tr")) == 3, "a row for each worker")
        check("net_af_packet0" in texts(page, "#ports td")[0], "the port's device")
        check("<b>bold</b>" in texts(page, "#realms td"), "a name is no markup")
        look(lab, page, "page")
        check_at_home(page)
        # The policy keeps out what is not in the page.
        ran = page.evaluate("""new Promise(resolve => {
            addEventListener('securitypolicyviolation', () => resolve('kept out'));
            document.body.append(Object.assign(document.createElement('script'),
                {textContent: 'window.intruder = 1'}));
            setTimeout(() => resolve(window.intruder || 'nothing'), 2000);
        })""")
        check(ran == "kept out", f"another script: {ran}")
        lab.run("net", "ip", "link", "set", "peer", "down")
        relay.stop()
        wait_until(lambda: "does not answer" in texts(page, "#away")[0], 15, "it is told")
        page.close()


def run_check(page, timeout_s=60):
    page.evaluate("document.getElementById('form').requestSubmit()")
    wait_until(lambda: page.evaluate("window.outcome !== undefined"), timeout_s, "the check ends")
    return page.evaluate("window.outcome")


def open_check(lab, config):
    relay = start_relay(lab, config)
    page = Page(lab, "client")
    page.open(f"{URL}/check")
    wait_until(lambda: not page.evaluate("document.getElementById('start').disabled"), 10,
               "the check may begin")
    return relay, page


@test(limit_s=120)
def test_check_finds_each_path_and_hands_out_names():
    with Lab(ipv6=True) as lab:
        config = with_http(lab, page="on")
        config["auth"] = {"realm": config["auth"]["realm"], "rest-secrets": [SECRET]}
        relay, page = open_check(lab, config)
        check(not page.evaluate("[user, password].some(field => field.offsetParent)"),
              "nobody need log in")
        outcome = run_check(page)
        look(lab, page, "check")
        check(texts(page, "#verdict") == ["Both paths through the relay work."],
              f"{texts(page, '#verdict')}: {outcome}")
        check(len(outcome["paths"]) == 2, outcome)
        for path in outcome["paths"]:
            check(path["works"] and path["pair"] == ["relay", "relay"], path)
            check(path["relayed"].startswith(f"{SERVICE}:"), path)
            check(0 < path["roundTripMs"] < 200 and path["loss"] < 0.1, path)
            check(path["bitsPerSecond"] > 1e6, path)
        seen = " ".join(outcome["direct"]["reflexive"])
        check(f"{CLIENT}:" in seen and f"[{CLIENT6}]:" in seen and "[[" not in seen, seen)
        check_at_home(page)
        page.close()
        check(relay.stop()["looped"] > 1000, "the relay looped the data")


@test(limit_s=120)
def test_check_says_why_a_path_does_not_work():
    """A wrong password; then a peer policy that keeps the relay from reaching itself."""
    with Lab() as lab:
        config = with_http(lab, page="on")
        config["peers"] = {"profile": "lan", "deny": [SERVICE]}
        relay, page = open_check(lab, config)
        for password, why in (("wrong", "the password is wrong"), (PASSWORD, "configuration (peers)")):
            page.evaluate(f"user.value = {USER!r}, password.value = {password!r}, "
                          "window.outcome = undefined")
            outcome = run_check(page)
            check(texts(page, "#verdict") == ["No path through the relay works."], outcome)
            check(why in " ".join(texts(page, "#results .fails")), texts(page, "#results"))
        look(lab, page, "check-fails")
        page.close()
        relay.stop()


@test()
def test_names_are_handed_out_only_by_address():
    with Lab() as lab:
        config = with_http(lab, page="on")
        config["auth"] = {"realm": config["auth"]["realm"], "rest-secrets": [SECRET]}
        config["realms"] = [{"name": "other", "listen": [f"{SERVICE}:3479"],
                             "users": [{"name": "x", "password": "y"}]}]
        relay = start_relay(lab, config)
        for host, handed in (("127.0.0.1:9641", True), ("localhost:9641", True), ("[::1]", True),
                             ("evil.example", False), ("localhost.evil.example", False),
                             ("127.0.0.1.evil.example:9641", False), ("", False),
                             ("[", False), ("[]", False), ("[::1", False),
                             ("[" + 3000 * ":" + "]", False)):
            status, headers, text = web.get(lab, "/check.json", headers={"Host": host})
            first, second = json.loads(text)["realms"]
            check((status, "username" in first, "username" in second) == (200, handed, False),
                  f"{host}: {text}")
            check(headers.get("Access-Control-Allow-Origin") is None, "no other site may read it")
            check(SECRET not in text, "the secret itself")
        check(first["turn"] == [f"turn:{SERVICE}:3478?transport=udp"], first)
        check(second["stun"] == [f"stun:{SERVICE}:3479"], second)
        relay.stop()
