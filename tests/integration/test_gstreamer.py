"""A call between two GStreamer webrtcbin pipelines (libnice) that may use the relay only."""

import json
import os
import queue
import threading

from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, USER, start_relay

CALL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gst_call.py")
TURN = f"turn://{USER}:{PASSWORD}@{SERVICE}:3478"
N_BUFFERS = 100  # 20 ms of sound each


class End:
    def __init__(self, lab, host, role):
        self.process = lab.start(host, "/usr/bin/python3", CALL, role, TURN, name=role, pipes=True)
        self.n_buffers = 0
        self.candidates = []
        self.told = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.popen.stdout:
            self.told.put(line)

    def pass_on(self, other):
        """Bring what this end has told to the other; note what it counted."""
        while not self.told.empty():
            line = self.told.get()
            message = json.loads(line)
            if "n_buffers" in message:
                self.n_buffers = message["n_buffers"]
                continue
            self.candidates += [message["candidate"]] if "candidate" in message else []
            other.process.popen.stdin.write(line)
            other.process.popen.stdin.flush()


@test(limit_s=60)
def test_webrtcbin_call():
    with Lab() as lab:
        relay = start_relay(lab)
        callee = End(lab, "peer", "callee")
        caller = End(lab, "client", "caller")

        def media_flow():
            caller.pass_on(callee)
            callee.pass_on(caller)
            return min(caller.n_buffers, callee.n_buffers) >= N_BUFFERS

        wait_until(media_flow, 45, f"{N_BUFFERS} buffers each way")
        for end in (caller, callee):
            check(end.candidates and all(" typ relay" in text for text in end.candidates),
                  f"{end.process.name} offered {end.candidates}")
            end.process.popen.stdin.close()
        relay.stop()
