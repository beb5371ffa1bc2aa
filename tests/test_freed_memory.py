"""Memory that a process frees and uses again."""

import subprocess
import sys

import pytest

# Frees blocks of `size` bytes, as a training step does, and prints how many pages the system maps
# when the same blocks are allocated and written again.
BLOCKS = """
import ctypes, resource, threading
{before}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def faults_of_a_round():
    first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc({size}) for _ in range(4)]
    for block in blocks:
        libc.memset(block, 1, {size})
    for block in blocks:
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first
def rounds():
    faults_of_a_round()
    print(faults_of_a_round(), end="")
if {threaded}:
    thread = threading.Thread(target=rounds)
    thread.start()
    thread.join()
else:
    rounds()
"""
KEEP = "from tfgans.freed_memory import keep_freed_memory; assert keep_freed_memory()"


def faults(before, *, size, threaded):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS.format(before=before, size=size, threaded=threaded)],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("size", [2**24, 2**26])
@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is that of Linux")
def test_freed_blocks_are_used_without_being_mapped_again(size, threaded):
    kept = faults(KEEP, size=size, threaded=threaded)
    assert kept < faults("", size=size, threaded=threaded) / 10


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_environment_stay(name, monkeypatch):
    from tfgans.freed_memory import keep_freed_memory

    monkeypatch.setenv(name, "")
    assert not keep_freed_memory()
