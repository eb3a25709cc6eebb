# SPDX-License-Identifier: MIT
"""The origin's ledger against promise 7."""
DELAY_MS = 150
# A request waits in the origin's queue before it is read, so two arrivals may lie closer than they were sent.
SLACK_NS = 20_000_000


def test_the_delay_holds_over_jobs_ports_redirects_and_retries(stage):
    first, second, daemon = stage.origin(), stage.origin(), stage.crawld(settings={'workers': 2})
    pace = {'delay_ms': DELAY_MS, 'robots': 'ignore'}
    jobs = [daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(6)] + [origin.url('/redirect/3'), origin.url('/flaky/2/x')], 'pace': pace,
                           'retry': {'attempts': 2, 'backoff_ms': 10}}) for origin in (first, second)]
    for job in jobs:
        daemon.wait_done(job)
    ledgers = [origin.stop() for origin in (first, second)]
    arrivals = sorted(r['arrived_ns'] for ledger in ledgers for r in ledger.requests)
    assert len(arrivals) == 2 * (6 + 4 + 2)
    gap_ns = min(b - a for a, b in zip(arrivals, arrivals[1:]))
    assert gap_ns >= DELAY_MS * 1_000_000 - SLACK_NS, f'{gap_ns / 1e6:.1f} ms'


def test_hosts_do_not_wait_for_each_other(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    hosts = [f'127.0.0.{n}' for n in range(1, 21)]
    job = daemon.submit({'seeds': [origin.url(f'/{n}', host) for host in hosts for n in range(4)], 'pace': {'delay_ms': DELAY_MS, 'robots': 'ignore'}})
    daemon.wait_done(job)
    ledger = origin.stop()
    for host in hosts:
        gap_ns = ledger.least_gap_ns(f'{host}:{origin.port}')
        assert gap_ns >= DELAY_MS * 1_000_000 - SLACK_NS, f'{host}: {gap_ns / 1e6:.1f} ms'
    times = [r['arrived_ns'] for r in ledger.requests]
    assert max(times) - min(times) < 80 * DELAY_MS * 1_000_000 / 2, 'the hosts were asked one after another'


def test_never_more_connections_than_allowed(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [origin.url(f'/delay/20/{n}') for n in range(150)], 'pace': {'preset': 'own', 'connections_per_host': 3}})
    daemon.wait_done(job)
    assert origin.stop().most_connections() <= 3


def test_a_429_stops_the_host_not_the_url(stage):
    say = 'HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n'
    answers = iter([[['send', say % ('429 Too Many Requests', 'Retry-After: 1\r\n')]]])
    server = stage.scripted(choose=lambda number, request: next(answers, [['send', say % ('200 OK', '')]]))
    daemon = stage.crawld()
    job = daemon.submit({'seeds': [server.url(f'/{n}') for n in range(4)], 'pace': {'preset': 'own', 'connections_per_host': 1}})
    daemon.wait_done(job)
    assert [row['status'] for row in daemon.rows(job)] == [200] * 4
    times = [request.time_ns for request in server.requests]
    assert len(times) == 5 and times[1] - times[0] >= 980_000_000, times
