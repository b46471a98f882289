"""What hardware an encoder would find here, told without loading torch."""

import ctypes
import math
import os
from importlib import metadata
from pathlib import Path

DTYPES = ("bfloat16", "float32")
QWEN = "Qwen/Qwen3-Embedding-4B"
BUNDLED = "bundled"


def default_model() -> str:
    """Qwen3-Embedding-4B where there is a CUDA device and a PyTorch that can use it, else the bundled encoder."""
    return QWEN if default_device() == "cuda" else BUNDLED


def default_device() -> str:
    """`cuda` where there is such a device and a PyTorch that can use it, else `cpu`."""
    return "cuda" if _torch_has_cuda() and _count_cuda_devices() else "cpu"


def cuda_devices() -> list[str]:
    """The CUDA devices that PyTorch would find, each by the name that CUDA_VISIBLE_DEVICES takes for it alone."""
    if not _torch_has_cuda():
        return []
    count = _count_cuda_devices()
    chosen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return chosen[:count] or [str(number) for number in range(count)]


def dtype_on(device: str) -> str:
    """bfloat16 on a GPU, float32 elsewhere; float16 nowhere (QwenLM/Qwen3-Embedding#164: NaN)."""
    return "bfloat16" if device.startswith("cuda") else "float32"


def cores() -> int:
    """The cores this process may use: `taskset` or a container's quota may leave it fewer than the machine has."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return allowed


def _torch_has_cuda() -> bool:
    try:
        return not metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False


def _count_cuda_devices() -> int:
    """The number of CUDA devices, by the driver's own library; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


if __name__ == "__main__":
    print(*cuda_devices(), sep="\n")
