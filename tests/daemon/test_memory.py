# SPDX-License-Identifier: MIT
"""Little memory slows a daemon down; it loses nothing."""
import collections
import threading

import harness
from cgroup import MemoryCgroup
from scripted import Unsupported, encode

LIMIT_S = 300
LIMIT_BYTES = 128 << 20
LARGE_BYTES = 10 << 20
OWN = {'preset': 'own'}


def own_cgroup(stage):
    with open(harness.program('daemon', 'crawld'), 'rb') as file:
        if b'__asan_init' in file.read():
            raise harness.Skip('the sanitizers take more memory than this allows: CRAWLD_BUILD=build')
    return MemoryCgroup(stage, LIMIT_BYTES)


class Peak:
    """The most own_bytes() ever seen."""

    def __init__(self, cgroup):
        self.cgroup, self.bytes, self.over = cgroup, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.02):
            self.bytes = max(self.bytes, self.cgroup.own_bytes())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def can_make(coding):
    try:
        return bool(encode(coding, b'x'))
    except Unsupported:
        return False


def crawl_large_and_small(stage, settings, large_urls, small_urls, **large_spec):
    """Rows of both. Nobody may have been killed, nor taken more than the daemon's part of the cgroup."""
    cgroup = own_cgroup(stage)
    daemon = stage.crawld(settings=settings, within=cgroup.within)
    status = daemon.status()['memory']
    assert status['limit_from'] == 'cgroup' and abs(status['limit_bytes'] - LIMIT_BYTES * 0.7) < 100, status
    with Peak(cgroup) as peak:
        large = daemon.submit({'seeds': large_urls, 'pace': OWN, 'timeouts': {'total_ms': 60000}, **large_spec})
        small = daemon.submit({'seeds': small_urls, 'pace': OWN})
        daemon.wait_done(small, patience_s=120)
        daemon.wait_done(large, patience_s=240)
    assert cgroup.oom_kills() == 0
    assert all(worker['restarts'] == 0 for worker in daemon.call('worker.list')['items'])
    assert peak.bytes <= status['limit_bytes'], f'{peak.bytes} bytes of {status["limit_bytes"]}'
    return daemon.check_pages(large), daemon.check_pages(small)


def check(large_rows, small_rows, counts):
    assert (len(large_rows), len(small_rows)) == counts
    assert {(row['outcome'], row['body_bytes'], row.get('detail')) for row in large_rows} == {('stored', LARGE_BYTES, None)}, \
        collections.Counter((row['outcome'], row.get('reason'), row.get('body_bytes'), row.get('detail')) for row in large_rows)
    assert {row['outcome'] for row in small_rows} == {'stored'}


def test_ten_large_bodies_in_128_mib_lose_nothing(stage):
    origin = stage.origin()
    large, small = [origin.url(f'/bytes/{LARGE_BYTES}?{n}') for n in range(10)], [origin.url(f'/p{n}') for n in range(3000)]
    check(*crawl_large_and_small(stage, {}, large, small), (10, 3000))


def test_a_hundred_large_bodies_and_two_workers_in_128_mib_lose_nothing(stage):
    origin = stage.origin()
    large = [origin.url(f'/bytes/{LARGE_BYTES + n}?{n}') for n in range(100)]
    check(*crawl_large_and_small(stage, {'workers': 2}, large, [origin.url(f'/p{n}') for n in range(3000)]), (100, 3000))


def test_ten_bombs_beside_large_and_small_bodies_in_128_mib_lose_nothing(stage):
    codings = [coding for coding in ('br', 'zstd', 'gzip', 'deflate') if can_make(coding)]
    steps = {f'/{n}': [['coded', {'enc': codings[n % len(codings)], 'zeros': 100 << 20, 'layers': 1 + n // 5}], ['close']] for n in range(10)}
    server, origin = stage.scripted(by_target=steps), stage.origin()
    bombs = [server.url(target) for target in steps]
    large = [origin.url(f'/bytes/{LARGE_BYTES}?{n}') for n in range(10)]
    large_rows, small_rows = crawl_large_and_small(stage, {}, bombs + large, [origin.url(f'/p{n}') for n in range(3000)],
                                                   keep={'body_lacks': ['a text for which pages are decoded']})
    bomb_rows = [row for row in large_rows if row['url'] in bombs]
    check([row for row in large_rows if row['url'] not in bombs], small_rows, (10, 3000))
    assert collections.Counter(row.get('reason') for row in bomb_rows) == {'bomb': 10}, bomb_rows


def test_status_says_what_a_fetch_takes(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'memory_limit': '200MiB', 'workers': 2})
    memory = daemon.status()['memory']
    assert memory['limit_bytes'] == 200 << 20 and memory['limit_from'] == 'memory_limit', memory
    job = daemon.submit({'seeds': [origin.url(f'/delay/60000/{n}') for n in range(500)], 'pace': OWN, 'timeouts': {'first_byte_ms': 90000}})
    harness.wait_until(lambda: (daemon.status()['memory']['bytes_per_fetch'] or 0) > 0 and daemon.show(job)['counts']['in_flight'] == 500,
                       'they are under way')
    memory = harness.wait_until(lambda: daemon.status()['memory'] if daemon.status()['memory']['fetches_bytes'] > 500 * 300 else None, 'all are counted')
    assert 300 <= memory['bytes_per_fetch'] <= 2048, memory
    assert memory['fetches_limit_bytes'] < memory['limit_bytes'] and memory['rss_bytes'] > memory['fetches_bytes'], memory
    for line in ('memory limit', 'bytes per fetch'):
        assert line in daemon.ctl('status').stdout
    assert 'limit=200MiB from=memory_limit' in daemon.log()
