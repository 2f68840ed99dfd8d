"""Refuse every address that is not this machine.

Python loads this file at start where the folder is on PYTHONPATH, in every process that a test
starts: the kernel of a chapter and whatever the chapter itself starts.
"""

import socket

LOCAL = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "", None}


def _local(address: object) -> bool:
    return not isinstance(address, tuple) or address[0] in LOCAL


def _guarded(method):
    def call(self, address, *rest):
        if not _local(address):
            raise OSError(f"the network is blocked in this test: {address}")
        return method(self, address, *rest)

    return call


socket.socket.connect = _guarded(socket.socket.connect)
socket.socket.connect_ex = _guarded(socket.socket.connect_ex)

_getaddrinfo = socket.getaddrinfo


def _lookup(host, *rest, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL:
        raise socket.gaierror(f"the network is blocked in this test: {name}")
    return _getaddrinfo(host, *rest, **named)


socket.getaddrinfo = _lookup
