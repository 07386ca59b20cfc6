# SPDX-License-Identifier: MIT
"""The library from Python by ctypes. Python's own subprocess keeps PIDs; a descriptor from here goes into selectors and
asyncio (add_reader) as any other does. Usage: python.py PATH_OF_LIBPIDGUARD"""
import ctypes
import os
import selectors
import sys

lib = ctypes.CDLL(sys.argv[1], use_errno=True)


def strings(words):
    return (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)


environment = strings([f"{name}={value}" for name, value in os.environ.items()])
pidfd = lib.pidguard_spawn(b"sh", strings(["sh", "-c", "exit 7"]), environment, None, ctypes.c_size_t(0))
if pidfd < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

loop = selectors.DefaultSelector()
loop.register(pidfd, selectors.EVENT_READ)
loop.select()  # it has ended

status = ctypes.c_int()
if lib.pidguard_pidfd_wait(pidfd, ctypes.byref(status), 1000) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
print("status", os.waitstatus_to_exitcode(status.value))
os.close(pidfd)
