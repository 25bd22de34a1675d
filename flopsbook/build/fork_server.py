"""A process that has imported what chapters need, and forks a kernel whenever one is asked for.

    python fork_server.py SOCKET [MODULE ...]

It imports the modules that are named, too, and it ends with its standard input. See
:mod:`flopsbook.build.kernels`.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

#: What takes long to import, and none of it our own.
PRELOADED = (
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "numpy",
    "sympy",
)


def main(path: str, *more: str) -> None:
    """Wait for kernels to be asked for, until the standard input ends."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    for name in (*PRELOADED, *more):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever watches a kernel is not waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listening.fileno(), 0], [], [])
        if 0 in ready:
            return
        client, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            watch(client)
            os._exit(0)
        client.close()


def watch(client: socket.socket) -> None:
    """Fork a kernel as a client asks, pass its signals on, and tell it how the kernel ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    kernel = os.fork()
    if kernel == 0:
        become(json.loads(message), streams, client)
    for stream in streams:
        os.close(stream)
    ended, signals = os.pidfd_open(kernel), [client.fileno()]
    while True:
        ready, _, _ = select.select([*signals, ended], [], [])
        if ended in ready:
            _, status = os.waitpid(kernel, 0)
            with suppress(OSError):  # the client may have been killed, too
                client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            return
        asked = client.recv(1)
        os.kill(kernel, asked[0] if asked else signal.SIGKILL)
        signals = signals if asked else []  # a client that is gone says nothing more


def become(asked: dict[str, Any], streams: list[int], client: socket.socket) -> None:
    """Turn this process into the kernel that was asked for."""
    client.close()
    os.setsid()
    for own, given in enumerate(streams):
        os.dup2(given, own)
        os.close(given)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(str(asked["folder"]))
    # it ends when the process that watches it is gone
    alive = f"--IPKernelApp.parent_handle={os.getppid()}"
    sys.argv = ["ipykernel_launcher", alive, *asked["arguments"]]
    sys.path[0] = str(asked["folder"])  # where the script was that started this process

    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
