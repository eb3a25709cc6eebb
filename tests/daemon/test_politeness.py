# SPDX-License-Identifier: MIT
"""The origin's ledger against promise 7: what reaches a host, however it came to be asked.

A request waits in the origin's queue before it is read, so two arrivals may lie closer than they were sent:
SLACK_NS. With one connection the delay counts from the end of the last answer."""
import os
import random
import signal
import threading
import time

import harness

SEED = int(os.environ.get('CRAWLD_TEST_SEED', '1'))
DELAY_MS = 150
SLACK_NS = 20_000_000
POLITE = {'delay_ms': DELAY_MS, 'robots': 'ignore'}
OWN = {'preset': 'own'}


def least_gap_ms(requests):
    """Least time from the end of an answer to the next arrival; a request never answered ends when it came."""
    requests = sorted(requests, key=lambda r: r['arrived_ns'])
    return min(b['arrived_ns'] - max(a['arrived_ns'], a['answered_ns']) for a, b in zip(requests, requests[1:])) / 1e6


def check_gaps(requests, delay_ms=DELAY_MS):
    gap_ms = least_gap_ms(requests)
    assert gap_ms >= delay_ms - SLACK_NS / 1e6, f'{gap_ms:.1f} ms between two requests, {delay_ms} allowed'


def kill_workers(daemon, stop, pause_s=0.5):
    """Kills one worker after the other until stop is set."""
    with daemon.client() as client:
        while not stop.wait(pause_s):
            for worker in client.call('worker.list')['items']:
                if worker.get('pid'):
                    try:
                        os.kill(worker['pid'], signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    break


def test_the_delay_holds_over_jobs_ports_redirects_and_retries(stage):
    first, second, daemon = stage.origin(), stage.origin(), stage.crawld(settings={'workers': 2})
    jobs = [daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(6)] + [origin.url('/redirect/3'), origin.url('/flaky/2/x')], 'pace': POLITE,
                           'retry': {'attempts': 2, 'backoff_ms': 10}}) for origin in (first, second)]
    for job in jobs:
        daemon.wait_done(job)
    ledgers = [origin.stop() for origin in (first, second)]
    requests = [r for ledger in ledgers for r in ledger.requests]
    assert len(requests) == 2 * (6 + 4 + 2)
    check_gaps(requests)
    opened = sorted((step for ledger in ledgers for c in ledger.connections for step in ((c['opened_ns'], 1), (c['closed_ns'], -1))))
    now = 0
    for _, change in opened:
        now += change
        assert now <= 1, 'two connections to one host at a time'


def test_the_strictest_of_two_jobs_counts(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    strict = daemon.submit({'name': 'strict', 'seeds': [origin.url(f'/strict/{n}') for n in range(6)], 'pace': POLITE})
    fast = daemon.submit({'name': 'fast', 'seeds': [origin.url(f'/delay/5/fast{n}') for n in range(400)],
                          'pace': {'delay_ms': 1, 'connections_per_host': 4, 'robots': 'ignore'}})
    wild = daemon.submit({'name': 'wild', 'seeds': [origin.url(f'/delay/5/wild{n}') for n in range(400)], 'pace': OWN})
    daemon.wait_done(strict)
    daemon.wait_done(fast)
    daemon.wait_done(wild)
    ledger = origin.stop()
    last_strict_ns = max(r['arrived_ns'] for r in ledger.requests if r['target'].startswith('/strict/'))
    check_gaps([r for r in ledger.requests if r['arrived_ns'] <= last_strict_ns])
    assert ledger.most_connections() <= 4 or [r for r in ledger.requests if 'wild' in r['target']]
    assert len(ledger.requests) == 806


def test_a_job_without_limits_gives_way_to_one_with(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    wild = daemon.submit({'seeds': [origin.url(f'/delay/20/{n}') for n in range(3000)], 'pace': {**OWN, 'in_flight': 20}})
    harness.wait_until(lambda: daemon.show(wild)['counts']['stored'] > 100, 'the first pages')
    strict = daemon.submit({'seeds': [origin.url(f'/strict/{n}') for n in range(4)], 'pace': POLITE})
    daemon.wait_done(strict)
    daemon.call('job.cancel', job=wild)
    daemon.wait_state(wild, 'cancelled')
    ledger = origin.stop()
    times = [r['arrived_ns'] for r in ledger.requests if r['target'].startswith('/strict/')]
    between = [r for r in ledger.requests if min(times) <= r['arrived_ns'] <= max(times)]
    check_gaps(between)
    open_then = [c for c in ledger.connections if c['opened_ns'] < min(times) and c['closed_ns'] > min(times)]
    assert len(open_then) <= 1, f'{len(open_then)} connections were left open'


def test_hosts_do_not_wait_for_each_other(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    hosts = [f'127.0.0.{n}' for n in range(1, 21)]
    job = daemon.submit({'seeds': [origin.url(f'/{n}', host) for host in hosts for n in range(4)], 'pace': POLITE})
    daemon.wait_done(job)
    ledger = origin.stop()
    for host in hosts:
        check_gaps([r for r in ledger.requests if r['host'] == f'{host}:{origin.port}'])
    times = [r['arrived_ns'] for r in ledger.requests]
    assert max(times) - min(times) < 80 * DELAY_MS * 1_000_000 / 2, 'the hosts were asked one after another'


def test_with_more_connections_the_delay_counts_from_sending(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [origin.url(f'/delay/400/{n}') for n in range(24)], 'pace': {'delay_ms': 50, 'connections_per_host': 3, 'robots': 'ignore'}})
    daemon.wait_done(job)
    ledger = origin.stop()
    assert ledger.least_gap_ns() >= 50_000_000 - SLACK_NS, ledger.least_gap_ns()
    assert ledger.most_connections() == 3, ledger.most_connections()
    times = [r['arrived_ns'] for r in ledger.requests]
    assert max(times) - min(times) < 24 * 400_000_000 / 2, 'the connections did not overlap'


def test_never_more_connections_than_allowed(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [origin.url(f'/delay/20/{n}') for n in range(150)], 'pace': {**OWN, 'connections_per_host': 3}})
    daemon.wait_done(job)
    ledger = origin.stop()
    assert ledger.most_connections() <= 3
    assert len(ledger.connections) <= 3, f'{len(ledger.connections)} connections for 150 requests: none was used again'


def test_closing_and_failing_servers_get_no_more_connections_either(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    targets = ['/close/100', '/drop/50', '/rst', '/empty', '/stale', '/bytes/10', '/chunked/100', '/redirect/2', '/status/500']
    job = daemon.submit({'seeds': [origin.url(f'{target}?{n}') for n in range(12) for target in targets], 'retry': {'attempts': 2, 'backoff_ms': 20},
                         'pace': {**OWN, 'connections_per_host': 2}})
    daemon.wait_done(job)
    ledger = origin.stop()
    assert ledger.most_connections() <= 2, ledger.most_connections()


def test_own_has_no_limits(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/delay/300/{n}') for n in range(300)], 'pace': OWN})
    daemon.wait_done(job)
    assert origin.stop().most_connections() > 100


def test_a_kept_connection_is_used_again_after_the_delay(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(10)], 'pace': POLITE})
    daemon.wait_done(job)
    ledger = origin.stop()
    check_gaps(ledger.requests)
    assert len(ledger.connections) == 1, f'{len(ledger.connections)} connections'


def test_killed_workers_break_no_gap_and_no_limit(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld(settings={'workers': 3})
    hosts = [f'127.0.0.{n}' for n in range(1, 9)]
    urls = [origin.url(f'/delay/40/{n}', host) for host in hosts for n in range(12)]
    job = daemon.submit({'seeds': urls, 'pace': POLITE})
    stop = threading.Event()
    killer = threading.Thread(target=kill_workers, args=(daemon, stop, 0.7))
    killer.start()
    time.sleep(4)
    stop.set()
    killer.join()
    daemon.wait_done(job)
    rows = daemon.check_pages(job)
    assert sorted(r['url'] for r in rows) == sorted(urls) and {r['outcome'] for r in rows} == {'stored'}
    ledger = origin.stop()
    for host in hosts:
        check_gaps([r for r in ledger.requests if r['host'] == f'{host}:{origin.port}'])
        assert ledger.most_connections(f'{host}:{origin.port}') <= 1, host


def test_restarted_workers_leave_no_host_behind(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld(settings={'workers': 2})
    hosts = [f'127.0.0.{n}' for n in range(1, 9)]
    urls = [origin.url(f'/delay/60/{n}', host) for host in hosts for n in range(10)]
    job = daemon.submit({'seeds': urls, 'pace': POLITE})
    time.sleep(1.6)
    for worker in daemon.call('worker.list')['items']:
        os.kill(worker['pid'], signal.SIGTERM)
        time.sleep(0.5)
    daemon.wait_done(job, patience_s=30)
    ledger = origin.stop()
    assert len(ledger.requests) == len(urls), 'a draining worker left a fetch unfinished'
    for host in hosts:
        check_gaps([r for r in ledger.requests if r['host'] == f'{host}:{origin.port}'])
        assert ledger.most_connections(f'{host}:{origin.port}') <= 1, host


def test_a_killed_daemon_counts_every_host_as_just_fetched(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '20ms'})
    job = daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(12)], 'pace': {**POLITE, 'delay_ms': 500}})
    for _ in range(2):
        seen = len(origin.ledger().requests)
        harness.wait_until(lambda: len(origin.ledger().requests) > seen + 1, 'two more requests')
        daemon.kill()
        daemon.start()
    daemon.wait_done(job)
    check_gaps(origin.stop().requests, 500)


def test_connections_to_one_address_are_counted_over_its_names(stage):
    names = {f'h{n}.test': ['127.0.0.1'] for n in range(30)}
    dns, origin = stage.dns(names), stage.origin()
    daemon = stage.crawld(settings={'workers': 2, 'dns_servers': dns.address})
    job = daemon.submit({'seeds': [origin.url(f'/delay/30/{n}', host) for host in names for n in range(3)],
                         'pace': {**OWN, 'connections_per_host': 1, 'connections_per_ip': 4}})
    daemon.wait_done(job)
    assert {r['outcome'] for r in daemon.rows(job)} == {'stored'}
    ledger = origin.stop()
    assert ledger.most_connections() <= 4, ledger.most_connections()
    assert len(ledger.requests) == 90


def test_connections_to_one_address_are_counted_where_another_failed(stage):
    names = {f'h{n}.test': [f'127.0.1.{n + 1}', '127.0.0.1', '127.0.0.8'] for n in range(30)}
    dns, origin = stage.dns({**names, 'dead.test': ['127.0.0.9', '127.0.0.8']}, ttl_s=0), stage.origin()
    daemon = stage.crawld(settings={'workers': 2, 'dns_servers': dns.address})
    job = daemon.submit({'seeds': [origin.url(f'/delay/30/{n}', host) for host in names for n in range(3)] + [origin.url('/', 'dead.test')],
                         'pace': {**OWN, 'connections_per_host': 1, 'connections_per_ip': 3}, 'retry': {'attempts': 1}})
    daemon.wait_done(job)
    rows = daemon.rows(job)
    assert {r['outcome'] for r in rows if 'dead' not in r['url']} == {'stored'}
    assert [r['reason'] for r in rows if 'dead' in r['url']] == ['connect_refused']
    ledger = origin.stop()
    assert ledger.most_connections() <= 3, ledger.most_connections()


def test_probe_asks_many_names_at_once_but_one_connection_each(stage):
    names = {f'h{n}.test': [f'127.0.0.{1 + n % 2}'] for n in range(300)}
    dns, origin = stage.dns(names), stage.origin(listen='0.0.0.0:0')
    daemon = stage.crawld(settings={'workers': 2, 'dns_servers': dns.address})
    job = daemon.submit({'seeds': [origin.url(f'/delay/200/{n}', host) for host in names for n in range(2)] + ['http://nowhere.test/'], 'pace': {'preset': 'probe'}})
    daemon.wait_done(job)
    rows = daemon.rows(job)
    assert sum(r['outcome'] == 'stored' for r in rows) == 600, [r for r in rows if r['outcome'] != 'stored'][:3]
    ledger = origin.stop()
    for address in ('127.0.0.1', '127.0.0.2'):
        most = ledger.most_connections(f'{address}:{origin.port}')
        assert 32 < most <= 64, (address, most)
    for name in names:
        asked = sorted((r['arrived_ns'], r['answered_ns']) for r in ledger.requests if r['host'] == f'{name}:{origin.port}')
        assert len(asked) == 2 and asked[1][0] >= asked[0][1], name


def test_a_full_worker_forgets_no_waiting_host(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld(settings={'workers': 2, 'in_flight': 2})
    hosts = [f'127.0.0.{n}' for n in range(1, 41)]
    job = daemon.submit({'seeds': [origin.url(f'/delay/20/{n}', host) for host in hosts for n in range(3)], 'pace': {'delay_ms': 10, 'robots': 'ignore'}})
    gone = daemon.submit({'seeds': [origin.url(f'/delay/20/gone{n}', host) for host in hosts for n in range(9)], 'pace': {'delay_ms': 30, 'robots': 'ignore'}})
    time.sleep(1.5)
    daemon.call('job.cancel', job=gone)
    daemon.wait_done(job, patience_s=30)
    daemon.wait_state(gone, 'cancelled')


def test_nothing_breaks_a_gap_or_a_limit_when_everything_happens(stage):
    print('seed', SEED)
    random.seed(SEED)
    names = {f'h{n}.test': [f'127.0.0.{1 + n % 3}'] + ([f'127.0.2.{n + 1}'] if n % 4 == 0 else []) for n in range(40)}
    dns, origin = stage.dns(names, ttl_s=0), stage.origin(listen='0.0.0.0:0')
    daemon = stage.crawld(settings={'workers': 3, 'dns_servers': dns.address, 'commit_interval': '50ms'})
    paths = ['/delay/20/a{}', '/close/10?{}', '/redirect/2?{}', '/flaky/2/{}', '/stale?{}', '/rst?{}', '/bytes/10?{}']
    urls = [origin.url(random.choice(paths).format(n), host) for host in names for n in range(8)]
    urls += [origin.url(f'/redirect-to?url=http%3A%2F%2Fh{n}.test%3A{origin.port}%2Fx{n}', f'h{39 - n}.test') for n in range(40)]
    paces = [{'delay_ms': 100, 'connections_per_host': 1, 'connections_per_ip': 5, 'robots': 'ignore'},
             {'delay_ms': 80, 'connections_per_host': 2, 'connections_per_ip': 7, 'robots': 'ignore'}]
    jobs = [daemon.submit({'seeds': [url + ('&' if '?' in url else '?') + f'job{n}' for url in urls], 'pace': pace, 'retry': {'attempts': 2, 'backoff_ms': 50}})
            for n, pace in enumerate(paces)]
    for n in range(6):
        time.sleep(random.uniform(0.2, 1.2))
        if n % 3 == 2:
            daemon.kill()
            daemon.start()
        else:
            pids = [worker['pid'] for worker in daemon.call('worker.list')['items'] if worker.get('pid')]
            os.kill(random.choice(pids), random.choice([signal.SIGKILL, signal.SIGTERM]))
    for job in jobs:
        daemon.wait_done(job)
        assert {(row['outcome'], row.get('reason')) for row in daemon.check_pages(job)} == {('stored', None), ('failed', 'conn_reset')}
    ledger = origin.stop()
    for name in names:
        gap_ns = ledger.least_gap_ns(f'{name}:{origin.port}')
        assert gap_ns >= 80_000_000 - SLACK_NS, f'{name}: {gap_ns / 1e6:.1f} ms'
    for n in range(1, 4):
        assert ledger.most_connections(f'127.0.0.{n}:{origin.port}') <= 7
