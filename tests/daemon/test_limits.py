# SPDX-License-Identifier: MIT
"""A job's limits, also over crashes: what is beyond them ends as `excluded: limit`."""
import collections
import json
import time

OWN = {'preset': 'own'}


def outcomes(rows):
    return collections.Counter((row['outcome'], row.get('reason')) for row in rows)


def submit(daemon, name, urls, limits, **more):
    daemon.call('job.submit', spec={'name': name, 'seeds': urls, 'pace': {**OWN, **more}, 'limits': limits})


def test_no_more_pages_than_the_limit(stage):
    origin, daemon = stage.origin(), stage.crawld()
    submit(daemon, 'p', [origin.url(f'/p{n}') for n in range(50)], {'pages': 7})
    daemon.wait_done('p')
    assert outcomes(daemon.rows('p')) == {('stored', None): 7, ('excluded', 'limit'): 43}
    assert sum(1 for request in origin.ledger().requests if request['target'].startswith('/p')) == 7


def test_it_ends_when_the_bytes_are_used_up(stage):
    origin, daemon = stage.origin(), stage.crawld()
    submit(daemon, 'b', [origin.url(f'/bytes/10000?{n}') for n in range(50)], {'bytes': 55000}, in_flight=1)
    daemon.wait_done('b')
    rows = daemon.rows('b')
    stored = [row for row in rows if row['outcome'] == 'stored']
    assert len(rows) == 50 and len(stored) == 6, len(stored)
    assert sum(row['wire_bytes'] for row in stored) >= 55000
    assert outcomes(rows)[('excluded', 'limit')] == 50 - len(stored)


def test_no_host_gives_more_pages_than_its_limit(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    urls = [origin.url(f'/p{n}', f'127.0.0.{n % 5 + 1}') for n in range(60)]
    submit(daemon, 'h', urls, {'pages_per_host': 4})
    daemon.wait_done('h')
    rows = daemon.rows('h')
    per_host = collections.Counter(row['ip'] for row in rows if row['outcome'] == 'stored')
    assert len(rows) == 60 and set(per_host.values()) == {4} and len(per_host) == 5, per_host


def test_the_counts_of_limits_survive_a_crash(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    first = [origin.url(f'/a{n}', f'127.0.0.{n % 2 + 1}') for n in range(6)]
    daemon.call('job.submit', spec={'name': 'c', 'seeds': first, 'pace': OWN, 'keep_open': True,
                                    'limits': {'pages_per_host': 4, 'bytes': 1000000}})
    deadline = time.monotonic() + 20
    while daemon.call('job.show', job='c')['counts']['stored'] < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    before = daemon.call('job.show', job='c')['bytes_in']
    daemon.kill()
    daemon.start()
    daemon.call('job.add', job='c', urls=[origin.url(f'/b{n}', f'127.0.0.{n % 2 + 1}') for n in range(6)])
    daemon.call('job.finish', job='c')
    daemon.wait_done('c')
    rows = daemon.rows('c')
    per_host = collections.Counter(row['ip'] for row in rows if row['outcome'] == 'stored')
    assert per_host == {'127.0.0.1': 4, '127.0.0.2': 4}, per_host
    assert outcomes(rows) == {('stored', None): 8, ('excluded', 'limit'): 4}
    assert daemon.call('job.show', job='c')['bytes_in'] == sum(row.get('wire_bytes', 0) for row in rows) > before


def test_it_ends_when_its_time_is_over(stage):
    origin, daemon = stage.origin(), stage.crawld()
    submit(daemon, 't', [origin.url(f'/delay/300/{n}') for n in range(100)], {'seconds': 2}, in_flight=1)
    daemon.wait_done('t')
    counts = daemon.call('job.show', job='t')['counts']
    assert counts['stored'] >= 1 and counts['excluded'] >= 50 and counts['stored'] + counts['excluded'] == 100, json.dumps(counts)
