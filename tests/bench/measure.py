# SPDX-License-Identifier: MIT
"""What a command costs with all its descendants, orphans too.

The command runs in a cage: a process that is its descendants' subreaper and waits for the last of them, so that
its RUSAGE_CHILDREN is the CPU time of all of them, each counted once. Memory is the sum of the proportional set
sizes, sampled.
"""
import ctypes
import json
import os
import resource
import signal
import subprocess
import threading
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SAMPLE_S = 0.1
libc = ctypes.CDLL(None, use_errno=True)


class Cost:
    """cpu_s is user and system; peak_bytes the highest sum of PSS; output what it wrote to stdout."""

    def __init__(self, wall_s, cpu_s, exit_code, peak_bytes, output):
        self.wall_s, self.cpu_s, self.exit_code = wall_s, cpu_s, exit_code
        self.peak_bytes, self.output = peak_bytes, output


def pin(core):
    if core is not None and core < os.cpu_count():
        os.sched_setaffinity(0, {core})


def cage(command, core, output_path, report, cwd):
    """The body of the forked cage; writes one JSON line to the descriptor report."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pin(core)
    start = time.monotonic()
    with open(output_path, 'wb') as out, open(output_path + '.err', 'wb') as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd)
    code, end = None, start
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
        end = time.monotonic()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.write(report, json.dumps([end - start, used.ru_utime + used.ru_stime, code]).encode())


def children_of():
    """{pid: [child pids]} of the whole machine."""
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as file:
                    parent = int(file.read().rpartition(')')[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    return children


def descendants(pid):
    children, found, todo = children_of(), [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def family(pid):
    return [pid, *descendants(pid)]


def pss_bytes(pids):
    total = 0
    for pid in pids:
        try:
            with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
                total += next(int(line.split()[1]) * 1024 for line in file if line.startswith('Pss:'))
        except (OSError, StopIteration):
            pass
    return total


def cpu_seconds(pids):
    """User and system time so far of processes that still run, with their children that ended."""
    ticks = 0
    for pid in pids:
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
                ticks += sum(map(int, file.read().rpartition(')')[2].split()[11:15]))
        except OSError:
            pass
    return ticks / os.sysconf('SC_CLK_TCK')


def measure(command, core, output_path, cwd=None, limit_s=600):
    """Runs the command to the end of its last descendant."""
    reader, writer = os.pipe()
    cage_pid = os.fork()
    if not cage_pid:
        try:
            os.close(reader)
            cage(command, core, output_path, writer, cwd)
        finally:
            os._exit(0)
    os.close(writer)
    over, peak = threading.Event(), [0]

    def sample():
        end = time.monotonic() + limit_s
        while not over.wait(SAMPLE_S):
            pids = descendants(cage_pid)
            peak[0] = max(peak[0], pss_bytes(pids))
            if time.monotonic() > end:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        with os.fdopen(reader, 'rb') as report:
            wall_s, cpu_s, code = json.loads(report.read())
    finally:
        over.set()
        sampler.join()
        os.waitpid(cage_pid, 0)
    with open(output_path, encoding='utf-8', errors='replace') as file:
        return Cost(wall_s, cpu_s, code, peak[0], file.read())
