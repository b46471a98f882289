"""Becomes another program, after tying its life to its parent's and, if told so, giving up root.

    python -I -S launcher.py [--user NAME] SIGNAL PARENT_PID PROGRAM [ARGUMENT ...]

It is a program of its own, and not a `preexec_fn`, because Python code between fork and exec can deadlock
in a process that has threads, and the supervisor has some. It imports only what is cheap: it runs before
every child.
"""

import ctypes
import os
import pwd
import signal
import sys

# <linux/prctl.h>, <linux/securebits.h>, <linux/capability.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    user, (death_signal, parent, *command) = _split(arguments)
    try:
        if user:
            _become(pwd.getpwnam(user))
        # The kernel forgets this signal when the user changes, so it comes after that.
        _call(_libc.prctl, _PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the process that started this one has ended")
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        advice = f" as the user {user}, and must not be as root (start this as an ordinary user)" if user else ""
        sys.exit(f"{command[0]} cannot be run{advice}: {error.strerror}")


def _split(arguments: list[str]) -> tuple[str, list[str]]:
    if arguments[0] == "--user":
        return arguments[1], arguments[2:]
    return "", arguments


def _become(account: pwd.struct_passwd) -> None:
    """Change to this user, keeping, where the kernel allows it, the right to pass folders closed to it.

    A clone, a data folder or a virtual environment often lies under /root or another folder of mode 0700.
    Opening those to everybody would be worse than letting this one program read past them.
    """
    capability = _passing_capability()
    if capability:
        # Without this bit access(2) ignores capabilities, and postgres finds its own files with access(2).
        _call(_libc.prctl, _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if capability:
        _keep_only(capability)


def _passing_capability() -> int | None:
    """The smallest capability held that lets a program into any folder; None if none can be kept."""
    held = _permitted()
    if not held & 1 << 8:  # CAP_SETPCAP, which setting the secure bits takes
        return None
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if held & 1 << capability:
            return capability
    return None


def _permitted() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm:"))


def _keep_only(capability: int) -> None:
    """Drop every capability but this one, and let this one survive exec."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable: of capabilities 0 to 31, then of 32 to 63
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _call(_libc.capset, header, data)
    _call(_libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _call(function: "ctypes._NamedFuncPointer", *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    # Python ignores SIGPIPE, and what it ignores stays ignored in the program it becomes.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main(sys.argv[1:])
