# SPDX-License-Identifier: MIT
"""Whom a worker's death is charged to: the URL it was stepping, three times at most, and nobody beside it."""
import mmap
import os
import re
import signal
import struct
import threading

import harness
from siege import children, kill

LIMIT_S = 240
INNOCENT = 40


class Gate:
    """A server whose answers wait until it is opened, so that fetches stand in flight as long as a scenario wants."""

    def __init__(self, stage):
        self.opened = threading.Event()
        self.server = stage.scripted(choose=self.answer)

    def answer(self, number, request):
        self.opened.wait(harness.PATIENCE_S)
        return [['send', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine'], ['close']]


def preload(stage):
    """The environment in which requests for /die/K/... kill the worker that sends them (crasher.c)."""
    library = harness.program('tests', 'libcrasher.so')
    options = ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'), 'verify_asan_link_order=0']))
    return {'LD_PRELOAD': library, 'CRASHER_TURNS': stage.write('turns', bytes(10)), 'ASAN_OPTIONS': options}


def burials(daemon):
    """(exit code, leases, whether somebody was charged) of each worker that ended."""
    return [(int(code), int(leases), guilty == 'yes') for code, leases, guilty in
            re.findall(r'worker ended .* exitcode=(-?\d+) leases=(\d+) guilty=(\w+)', daemon.log())]


def crawl(stage, words, while_it_dies=None):
    """A job of one URL that kills by these words beside INNOCENT others, all at one worker: the row of the first,
    and the burials. The others are answered when that row is there."""
    gate, origin = Gate(stage), stage.origin()
    daemon = stage.crawld(settings={'workers': 1, 'commit_interval': '20ms'}, env=preload(stage))
    innocent = [gate.server.url(f'/{n}') for n in range(INNOCENT)]
    job = daemon.submit({'seeds': innocent + [origin.url('/die/0/' + ','.join(words))], 'pace': {'preset': 'own'},
                         'timeouts': {'first_byte_ms': 0, 'total_ms': 0}})
    if while_it_dies:
        while_it_dies(daemon)
    [row] = harness.wait_until(lambda: daemon.rows(job), 'the guilty one has its row')
    held = burials(daemon)
    gate.opened.set()
    daemon.wait_done(job)
    rows = {row['url']: row for row in daemon.check_pages(job)}
    assert {rows[url]['outcome'] for url in innocent} == {'stored'}, [rows[url] for url in innocent if rows[url]['outcome'] != 'stored'][:3]
    assert len(burials(daemon)) == len(held), 'a worker died of an innocent URL'
    assert all(leases == INNOCENT + 1 for _, leases, _ in held), held
    return row, held


def test_a_url_that_kills_three_workers_is_given_up_and_no_other(stage):
    row, deaths = crawl(stage, ['segv', 'abort', 'hang'])
    assert (row['outcome'], row.get('reason')) == ('failed', 'worker_crash'), row
    assert deaths == [(-11, INNOCENT + 1, True), (-6, INNOCENT + 1, True), (-9, INNOCENT + 1, True)], deaths


def test_two_crashes_are_forgiven(stage):
    row, deaths = crawl(stage, ['segv', 'kill', 'abort'])
    assert row['outcome'] != 'excluded' and row.get('reason') != 'worker_crash', row
    assert [guilty for _, _, guilty in deaths] == [True, False, True], deaths


def test_killed_from_outside_in_its_step_a_url_is_not_charged(stage):
    row, deaths = crawl(stage, ['kill'] * 4)
    assert row.get('reason') != 'worker_crash', row
    assert deaths == [(-9, INNOCENT + 1, False)] * 4, deaths


def stats_block(pid):
    """The block through which the worker is watched, mapped: (its bytes, where the loop's blame cell is)."""
    with open(f'/proc/{pid}/fd/4', 'r+b') as file:
        block = mmap.mmap(file.fileno(), 0)
    size = os.stat(f'/proc/{pid}/fd/4').st_size
    return block, size - 24


def cell(pid):
    try:
        block, at = stats_block(pid)
    except OSError:
        return 0
    with block:
        return struct.unpack_from('<Q', block, at)[0]


def stepping(stage, daemon, after=()):
    """The pid of a worker that hangs in a step and is none of those that did so before."""
    def look():
        with open(stage.path('turns'), 'rb') as turns:
            if turns.read(1)[0] <= len(after):
                return None
        pids = [pid for pid in children(daemon.process.pid) if pid not in after]
        return [pid for pid in pids if cell(pid)]
    return harness.wait_until(look, 'a worker stands in a step')[0]


def test_a_fatal_signal_from_outside_charges_nobody(stage):
    def shoot(daemon):
        shot = []
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
            shot.append(stepping(stage, daemon, shot))
            kill(shot[-1], number)
            harness.wait_until(lambda: len(burials(daemon)) == len(shot), 'it is buried')
    row, deaths = crawl(stage, ['hang'] * 4, shoot)
    assert row.get('reason') != 'worker_crash', row
    assert [guilty for _, _, guilty in deaths] == [False] * 4, deaths


def test_a_worker_that_is_silent_but_goes_on_charges_nobody(stage):
    def go_on(daemon):
        """Stopped, it is silent; its cell is moved as if it stepped one lease after the other."""
        pid = stepping(stage, daemon)
        os.kill(pid, signal.SIGSTOP)
        block, at = stats_block(pid)
        with block:
            [lease] = struct.unpack_from('<Q', block, at)
            def move(n=[0]):
                n[0] += 1
                struct.pack_into('<Q', block, at, lease + n[0] // 20 % 2)
                return burials(daemon)
            harness.wait_until(move, 'it is buried')
    row, deaths = crawl(stage, ['hang'], go_on)
    assert row.get('reason') != 'worker_crash', row
    assert deaths == [(-9, INNOCENT + 1, False)], deaths
