"""Freeze single threads of a process, as a debugger does: the others run on."""

import contextlib
import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000  # __WALL


def ptrace(request, tid):
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if call(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {tid}")


@contextlib.contextmanager
def frozen(tid):
    """The thread stands still within the block, and may be killed there. Only the test's first thread
    may use it."""
    ptrace(SEIZE, tid)
    ptrace(INTERRUPT, tid)
    os.waitpid(tid, WAIT_ALL)
    try:
        yield
    finally:
        try:
            ptrace(DETACH, tid)
        except ProcessLookupError:
            os.waitpid(tid, WAIT_ALL)


def threads(pid):
    """{name: tid}"""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as comm:
            found[comm.read().strip()] = int(tid)
    return found
