"""Which calls to the kernel a learner's code may make, as a seccomp program made by libseccomp.

What is not listed does not exist for it (ENOSYS): sockets, tracing, namespaces, mounts, other programs,
memory shared with other processes, locks, and whatever kernels learn in future.
"""

import errno
import os
import tempfile

ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2
dup3 pipe pipe2 open openat openat2 creat stat fstat lstat newfstatat statx statfs fstatfs access faccessat
faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat
rename renameat renameat2 truncate ftruncate fallocate fsync fdatasync fadvise64 copy_file_range sendfile
utimensat umask mmap munmap mprotect mremap madvise msync mincore brk membarrier poll ppoll select pselect6
epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2 fork vfork exit exit_group
wait4 waitid kill tkill tgkill pause restart_syscall sched_yield getpid getppid gettid getpgrp getpgid
getsid setsid setpgid getuid geteuid getgid getegid getresuid getresgid getgroups rt_sigaction
rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo sigaltstack signalfd
signalfd4 alarm getitimer setitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time
timer_create timer_settime timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime
timerfd_gettime futex futex_waitv set_robust_list get_robust_list set_tid_address set_thread_area arch_prctl
rseq getcpu prctl sched_getaffinity sched_getparam sched_getscheduler sched_getattr sched_get_priority_max
sched_get_priority_min getpriority getrlimit setrlimit prlimit64 getrusage times sysinfo uname getrandom
capget
"""
TO_WRITE = """
open openat openat2 creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 truncate ftruncate
fallocate utimensat
"""
CHANGES = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | 0x400000  # flags of open; the last makes a nameless file
NAMESPACES = 0x7E020080  # the flags of clone that make a namespace
OF_DESCRIPTORS = (0, 1, 2, 3, 4, 1030, 1031, 1032)  # fcntl: copies, flags, sizes of pipes; no locks
OF_FILES = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # ioctl: is it a terminal, bytes to read, close on exec


def program(writes: bool) -> bytes:
    """The instructions.  writes: whether files may be made and changed, where the wall lets them.

    Raises OSError where libseccomp is missing.
    """
    import pyseccomp as seccomp  # here: only where a sandbox is made need libseccomp be installed

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    if not writes:
        for name, place in ("open", 1), ("openat", 2):
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(place, seccomp.MASKED_EQ, CHANGES, 0))
    for name in sorted(set(ALLOWED.split()) - (set() if writes else set(TO_WRITE.split()))):
        try:
            rules.add_rule(seccomp.ALLOW, seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))
        except (ValueError, OSError):
            continue  # this kind of machine does not have it
    rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, NAMESPACES, 0))
    for name, which in ("fcntl", OF_DESCRIPTORS), ("ioctl", OF_FILES):
        for value in which:
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(1, seccomp.EQ, value))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
