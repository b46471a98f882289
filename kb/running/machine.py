"""What this machine has to give: cores, memory and shared memory."""

import shutil
import subprocess
import sys

import psutil

from embeddings import devices

MIB = 1024 * 1024


def cores() -> int:
    """The cores this process may use: a container or `taskset` may leave it fewer than the machine has."""
    return devices.cores()


def gpus() -> list[str]:
    """The GPUs an encoder would find here, by the names that CUDA_VISIBLE_DEVICES takes. A process of its own asks: the
    driver stays loaded in whoever did."""
    asked = subprocess.run([sys.executable, "-m", "embeddings.devices"], stdout=subprocess.PIPE, text=True, check=False)
    return asked.stdout.split()


def memory() -> int:
    """Bytes of memory, the limit of the container taken into account."""
    total = psutil.virtual_memory().total
    try:
        with open("/sys/fs/cgroup/memory.max") as limit:
            return min(total, int(limit.read()))
    except (OSError, ValueError):  # no such file, or "max"
        return total


def shared_memory() -> int:
    """Bytes free in /dev/shm: 64 MiB in a container unless told otherwise."""
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 - measured, not written
    except OSError:
        return 0
