"""What a process that reads a stranger's file gives up before it opens it. Linux only; none of it needs privileges.

A filter of system calls (seccomp) takes away sockets, new processes and signals to others. The usual means do less:
RLIMIT_NPROC counts all processes of a user and does not hold root at all, and a network namespace needs privileges
or a kernel setting. Landlock takes away what such a filter cannot tell apart: files may be opened for reading and are
otherwise left alone, and what /proc has of other processes, such as their memory, is closed. Root keeps of its
privileges only that it may open all files. Where the kernel has not the one or the other, or the call numbers of the
processor are not listed here, that is left out; the rest stands.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# Classic BPF over struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6]}: see seccomp(2).
_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_AT_LEAST = 0x35
_RETURN = 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000
_X32 = 0x40000000  # calls of a second ABI, with numbers of their own, on x86-64

# pidfd_send_signal, io_uring_setup (sockets by another door), pidfd_open, clone3, pidfd_getfd
_NEW_ON_ALL = (424, 425, 434, 435, 438)
_REFUSED = {
    # socket, connect, socketpair, clone, fork, vfork, execve, kill, ptrace, rt_sigqueueinfo, tkill, tgkill, unshare,
    # rt_tgsigqueueinfo, process_vm_readv, process_vm_writev, execveat
    "x86_64": (
        0xC000003E,
        (41, 42, 53, 56, 57, 58, 59, 62, 101, 129, 200, 234, 272, 297, 310, 311, 322),
    ),
    # socket, socketpair, connect, clone, execve, kill, ptrace, rt_sigqueueinfo, tkill, tgkill, unshare,
    # rt_tgsigqueueinfo, process_vm_readv, process_vm_writev, execveat
    "aarch64": (0xC00000B7, (198, 199, 203, 220, 221, 129, 117, 138, 130, 131, 97, 240, 270, 271, 281)),
}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_PRCTL = {"x86_64": 157, "aarch64": 167}
_EXECVE = {"x86_64": 59, "aarch64": 221}

# See capabilities(7).
_CAPABILITIES_VERSION = 0x20080522
_OPENS_ALL = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

# See landlock(7). The numbers are the same on all processors.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access to files there are since which version."""

_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_SCOPES_SINCE = 6
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1


@dataclass(frozen=True)
class Ceiling:
    """What the process may use: seconds of CPU, bytes of address space, open files."""

    cpu_seconds: int
    memory: int
    files: int = 32


def confine(ceiling: Ceiling, *, parent: int) -> None:
    """Put this process below the ceiling, for good, and tie its life to its parent's.

    The kernel kills it when the *thread* that started it ends (prctl(2)): that thread has to wait for it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _give_up(libc, ceiling, parent=parent)
    _refuse_calls(libc, _refused())


def hide() -> None:
    """Keep other processes of this user from looking into the memory of this one and of its children, or writing there
    (proc(5)): a child that was taken over finds neither its server nor other children. It does not hold root with
    all its privileges."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def become(command: Sequence[str], ceiling: Ceiling, *, parent: int) -> None:
    """Put this process below the ceiling, for good, and run a program in its place.

    What `confine` refuses is refused, but to run a program: one can only take this one's place, with its limits and its
    refusals, so that there never is a second process.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _give_up(libc, ceiling, parent=parent)
    _refuse_calls(libc, [number for number in _refused() if number != _EXECVE.get(platform.machine())])
    os.chdir("/")
    os.execv(command[0], list(command))  # noqa: S606 - which program, `tesseract` says


def _give_up(libc: ctypes.CDLL, ceiling: Ceiling, *, parent: int) -> None:
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # without it neither filter nor Landlock is to be had
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)
    _limit(resource.RLIMIT_CPU, ceiling.cpu_seconds, ceiling.cpu_seconds + 5)
    _limit(resource.RLIMIT_AS, ceiling.memory, ceiling.memory)
    _limit(resource.RLIMIT_NOFILE, ceiling.files, ceiling.files)
    _limit(resource.RLIMIT_FSIZE, 0, 0)  # it writes to its pipe and to no file
    _limit(resource.RLIMIT_CORE, 0, 0)
    _drop_privileges(libc)
    _only_read(libc)


def _drop_privileges(libc: ctypes.CDLL) -> None:
    """With others root could read the memory of all processes, Landlock or not."""
    header = ctypes.create_string_buffer(struct.pack("II", _CAPABILITIES_VERSION, 0))
    held = ctypes.create_string_buffer(struct.calcsize("6I"))
    libc.capget(header, held)
    _effective, permitted, *_others = struct.unpack("6I", held.raw)
    kept = permitted & _OPENS_ALL
    libc.capset(header, struct.pack("6I", kept, kept, 0, 0, 0, 0))


def _only_read(libc: ctypes.CDLL) -> None:
    """Give up all that may be done with files but to read and to run them, and signals to all but its own."""
    version = landlock_version()
    if version < 1:
        return
    kinds = max(count for since, count in _FILES.items() if since <= version)
    files = ((1 << kinds) - 1) & ~(_EXECUTE | _READ_FILE | _READ_FOLDER)
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", files, 0, scoped)  # older kernels take the longer form if what is new is 0
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def landlock_version() -> int:
    """Which Landlock the kernel has; less than 1 where it has none."""
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def _limit(kind: int, soft: int, hard: int) -> None:
    """Lower a limit, and leave one that is lower already."""
    _soft, allowed = resource.getrlimit(kind)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))


def _refused() -> tuple[int, ...]:
    return _REFUSED[platform.machine()][1] + _NEW_ON_ALL if platform.machine() in _REFUSED else ()


def _refuse_calls(libc: ctypes.CDLL, numbers: Sequence[int]) -> None:
    machine = platform.machine()
    if machine not in _REFUSED:
        return
    program = _program(_REFUSED[machine][0], numbers, prlimit=_PRLIMIT[machine], prctl=_PRCTL[machine])
    filters = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(filters))
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0)


def _program(architecture: int, refused: Sequence[int], *, prlimit: int, prctl: int) -> bytes:
    """Kill for another architecture's calls, refuse those listed, the limits of other processes, and to outlive the
    parent; allow the rest. Jumps count instructions to skip."""
    # Both take an int first: the kernel looks at its low half, which comes first on these processors.
    by_argument = [
        (_JUMP_IF_EQUAL, 0, 3, prlimit),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_IF_EQUAL, 0, 5, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_JUMP_IF_EQUAL, 0, 2, prctl),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_IF_EQUAL, 1, 0, _PR_SET_PDEATHSIG),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
    ]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_AT_LEAST, len(refused) + len(by_argument) - 1, 0, _X32),
    ]
    last = len(refused) + len(by_argument) - 2
    steps += [(_JUMP_IF_EQUAL, last - position, 0, number) for position, number in enumerate(refused)]
    steps += by_argument
    return b"".join(struct.pack("HBBI", *step) for step in steps)
