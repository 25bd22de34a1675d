"""A filter for system calls that confined code has no use for, as a program for the kernel.

Bubblewrap takes away files, network and processes; what is left is the kernel itself. The
calls below hold memory that no limit sees (`memfd_create`, shared memory), reach the host
in spite of a network of one's own (sockets of other families than the usual ones), or open
large parts of the kernel. They fail with "not permitted"; everything else passes.
"""

import errno
import platform
import socket
import struct
from collections.abc import Iterable

#: x86-64 and 64-bit ARM, by the names of `platform.machine()`: what the kernel calls them.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "arm64": 0xC00000B7}

#: System calls, by name, with their numbers on (x86-64, 64-bit ARM); None: not there.
REFUSED: dict[str, tuple[int | None, int]] = {
    "setsockopt": (54, 208),  # larger buffers
    "shmget": (29, 194),
    "ptrace": (101, 117),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "mount": (165, 40),
    "umount2": (166, 39),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "memfd_create": (319, 279),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "memfd_secret": (447, 447),
}

CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW… flag
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)  # 16: netlink

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where they lie in what a filter is given

Instruction = tuple[int, int, int, int]


def program(machine: str = "") -> bytes:
    """Return the filter for this machine, or no bytes for one that is not listed.

    >>> len(program("x86_64")) % 8, program("pdp11")
    (0, b'')
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        return b""
    arm = machine != "x86_64"
    refused = [numbers[arm] for numbers in REFUSED.values()]
    lines: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    if not arm:
        lines += [(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, KILL)]  # the x32 way in
    for number in refused:
        if number is not None:
            lines += [(EQUAL, 0, 1, number), answer(errno.EPERM)]
    # "no such call": the C library then uses clone, whose flags a filter can read
    lines += [(EQUAL, 0, 1, CLONE3[arm]), answer(errno.ENOSYS)]
    lines += [
        (EQUAL, 0, 4, CLONE[arm]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, NEW_NAMESPACES),
        answer(errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    lines += [(EQUAL, 0, 2 + len(FAMILIES), SOCKET[arm]), (LOAD, 0, 0, FIRST_ARGUMENT)]
    lines += [(EQUAL, len(FAMILIES) - place, 0, int(f)) for place, f in enumerate(FAMILIES)]
    lines += [answer(errno.EACCES), (RETURN, 0, 0, ALLOW)]
    return assembled(lines)


def answer(error: int) -> Instruction:
    """Return the instruction that lets a call fail with an error."""
    return (RETURN, 0, 0, REFUSE | error)


def assembled(lines: Iterable[Instruction]) -> bytes:
    """Return instructions as the kernel reads them.

    >>> assembled([(RETURN, 0, 0, ALLOW)]).hex()
    '060000000000ff7f'
    """
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
