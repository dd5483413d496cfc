"""New memory has a price that is not the contestants': the pages of the operating system.

The C library gives a large array back when it is freed and asks for the next one anew; the system
sets each page of it to zero first. On large batches that adds a fifth to the time of one contestant
and several times its own to that of another: NumPy asks Linux for large pages, PyTorch does not.
What counts as large depends on what was freed before, so a contestant pays in one run and not in
the next. Where all freed memory stays with the process, nobody pays.
"""

import ctypes
import platform

# Parameters of mallopt(3).
TRIM_THRESHOLD = -1  # free bytes at the end of the heap that are given back; -1: never
MMAP_MAX = -4  # how many arrays may have memory of their own


def keep():
    """Let all memory stay with the process from here on; tell whether its C library can do so."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, -1))
