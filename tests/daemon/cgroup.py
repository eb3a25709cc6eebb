# SPDX-License-Identifier: MIT
"""A memory cgroup of the scenario's own, of version 1 or 2 (root only)."""
import os
import re

import harness


def find_parent():
    """(directory, is version 2): where this process's memory cgroup can be seen."""
    with open('/proc/self/cgroup', encoding='utf-8') as file:
        paths = {controllers: path.rstrip('\n') for _, controllers, path in (line.split(':', 2) for line in file)}
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        mounts = [(line.split(' - ')[0].split()[4], line.split(' - ')[1]) for line in file]
    for at, what in mounts:
        if what.startswith('cgroup ') and re.search(r'\bmemory\b', what):
            path = next((p for c, p in paths.items() if 'memory' in c.split(',')), '')
            return at + path.rstrip('/'), False
    for at, what in mounts:
        if what.startswith('cgroup2 '):
            return at, True
    raise harness.Skip('no memory cgroups')


class MemoryCgroup:
    """Takes at most limit_bytes. Start a process with `within` before its command to put it there."""

    def __init__(self, stage, limit_bytes):
        parent, self.is_v2 = find_parent()
        self.dir = os.path.join(parent, f'crawld-test-{os.getpid()}')
        try:
            if self.is_v2:
                self.write_to(os.path.join(parent, 'cgroup.subtree_control'), '+memory')
            os.mkdir(self.dir)
            self.write('memory.max' if self.is_v2 else 'memory.limit_in_bytes', limit_bytes)
        except OSError as why:
            raise harness.Skip(f'a memory cgroup of its own: {why}') from None
        stage.closers.insert(0, self.close)
        self.within = ['/bin/sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.dir]

    @staticmethod
    def write_to(path, value):
        with open(path, 'w', encoding='ascii') as file:
            file.write(str(value))

    def write(self, name, value):
        self.write_to(os.path.join(self.dir, name), value)

    def read(self, name):
        with open(os.path.join(self.dir, name), encoding='ascii') as file:
            return file.read()

    def number_in(self, name, key):
        return next((int(line.split()[1]) for line in self.read(name).splitlines() if line.split()[0] == key), 0)

    def own_bytes(self):
        """What is not page cache."""
        return self.number_in('memory.stat', 'anon' if self.is_v2 else 'total_rss')

    def oom_kills(self):
        return self.number_in('memory.events' if self.is_v2 else 'memory.oom_control', 'oom_kill')

    def close(self):
        """Its processes must be gone."""
        try:
            harness.wait_until(lambda: not self.read('cgroup.procs'), 'the cgroup is empty', 10)
            os.rmdir(self.dir)
        except (OSError, AssertionError):
            pass
