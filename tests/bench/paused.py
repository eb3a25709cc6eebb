# SPDX-License-Identifier: MIT
"""A daemon on a core of its own, and what a job of it costs that stands paused with all its URLs."""
import time

import harness
import measure


def start(stage, name, state_dir, core, own_core, settings):
    """A daemon with all its processes on `core`; the caller is on own_core."""
    daemon = harness.Crawld(stage, name, settings=settings)
    daemon.state_dir = state_dir
    measure.pin(core)
    daemon.start()
    measure.pin(own_core)
    return daemon


def run(daemon, job, count):
    """(wall s, CPU s) of the daemon from `resume` to `done`, with count pages stored."""
    pids = measure.family(daemon.process.pid)
    cpu_s, begin = measure.cpu_seconds(pids), time.monotonic()
    daemon.call('job.resume', job=job)
    while daemon.show(job)['state'] != 'done':
        time.sleep(0.02)
    wall_s, cpu_s = time.monotonic() - begin, measure.cpu_seconds(pids) - cpu_s
    counts = daemon.show(job)['counts']
    assert counts['stored'] == count, counts
    return wall_s, cpu_s
