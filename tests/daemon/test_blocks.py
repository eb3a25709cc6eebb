# SPDX-License-Identifier: MIT
"""Hosts that say 429 or 503, hosts that fail, hosts that the operator blocks. The origin's ledger decides: no request
may arrive before its time."""
import email.utils
import http.server
import os
import signal
import threading
import time

import harness

OWN = {'preset': 'own'}
POLITE = {'delay_ms': 20, 'robots': 'ignore'}


def host_of(daemon, name='127.0.0.1'):
    return daemon.call('host.show', host=name)


def wait_blocked(daemon, by='answer', name='127.0.0.1'):
    """The block, once the host is known to have it."""
    def look():
        try:
            blocked = host_of(daemon, name)['blocked']
        except harness.Refused:
            return None
        return blocked if blocked and blocked['by'] == by else None
    return harness.wait_until(look, f'{name} is blocked by {by}')


def wait_written(daemon, name='127.0.0.1'):
    """Until hosts.log has a block of the host."""
    def look():
        with open(os.path.join(daemon.state_dir, 'hosts.log'), encoding='ascii') as file:
            return f'block {name} ' in file.read()
    harness.wait_until(look, f'hosts.log knows of {name}')


class Moody:
    """A server whose answers the scenario changes: .answer is (status, headers), None for 200."""

    def __init__(self, stage, address='127.0.0.1'):
        moody = self
        self.answer, self.asked = None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, wbufsize = 'HTTP/1.1', 65536

            def do_GET(self):
                now_s = time.monotonic()
                answer = moody.answer(self.path) if callable(moody.answer) else moody.answer
                moody.asked.append((now_s, self.path, answer[0] if answer else 200))
                status, headers = answer or (200, {})
                body = f'{self.path}\n'.encode()
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        stage.closers.append(self.server.shutdown)

    def url(self, path, host='127.0.0.1'):
        return f'http://{host}:{self.port}{path}'

    def statuses(self):
        return [status for _, _, status in self.asked]


def busy_for(moody, headers, status=429, times=1):
    """The first answers are that; later ones 200."""
    left = [times]

    def answer(_):
        left[0] -= 1
        return (status, headers) if left[0] >= 0 else None
    moody.answer = answer


def check_wait(moody, least_s, most_s=None):
    """From each answer that stopped the host to the next request."""
    waits = [b[0] - a[0] for a, b in zip(moody.asked, moody.asked[1:]) if a[2] in (429, 503)]
    assert waits and min(waits) >= least_s, (least_s, moody.asked)
    assert most_s is None or max(waits) <= most_s, (most_s, moody.asked)


def test_a_429_with_seconds_is_waited_for_and_costs_no_attempt(stage):
    moody, other, daemon = Moody(stage), stage.origin(listen='127.0.0.2:0'), stage.crawld(settings={'workers': 2})
    busy_for(moody, {'Retry-After': '3'})
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(5)], 'pace': POLITE, 'retry': {'attempts': 1}})
    blocked = wait_blocked(daemon)
    assert blocked['why'] == '429' and blocked['retry_after'] is True, blocked
    status = daemon.status()
    assert status['hosts_blocked']['answer'] == status['hosts_blocked']['all'] == 1, status
    assert daemon.show(job)['hosts_blocked'] == 1
    harness.wait_until(lambda: daemon.show(job)['why'] == 'hosts_blocked', 'the job says why nothing moves')
    assert daemon.call('stats')['hosts']['blocked'] == 1
    fast = daemon.submit({'seeds': [other.url(f'/{n}') for n in range(300)], 'pace': OWN})
    daemon.wait_done(fast)
    assert host_of(daemon)['blocked'], 'the other host had to wait for the blocked one'
    daemon.wait_done(job)
    rows = daemon.rows(job)
    assert {(row['outcome'], row['status'], row['attempts']) for row in rows} == {('stored', 200, 1)}, rows
    check_wait(moody, 3, 20)
    paths = [path for _, path, _ in moody.asked]
    assert paths[0] == paths[-1] not in paths[1:-1], 'the others did not have their turn first'
    assert daemon.status()['hosts_blocked']['all'] == 0


def test_a_503_with_a_date_is_waited_for(stage):
    moody, daemon = Moody(stage), stage.crawld()
    moody.answer = lambda _: None if len(moody.asked) else (503, {'Retry-After': email.utils.formatdate(time.time() + 3.5, usegmt=True)})
    job = daemon.submit({'seeds': [moody.url('/a'), moody.url('/b')], 'pace': {**OWN, 'connections_per_host': 1}})
    assert wait_blocked(daemon)['why'] == '503'
    daemon.wait_done(job)
    check_wait(moody, 1.9, 20)


def test_absurd_and_missing_times_become_bounded_ones(stage):
    daemon = stage.crawld()
    cases = [('999999999999999999999', 86300, 86400), ('Fri, 31 Dec 9999 23:59:59 GMT', 86300, 86400), (None, 53, 67), ('soon', 53, 67), ('-7', 53, 67), ('0', 53, 67)]
    for n, (value, least, most) in enumerate(cases):
        address = f'127.0.1.{n + 1}'
        moody = Moody(stage, address)
        moody.answer = (429, {'Retry-After': value} if value else {})
        daemon.submit({'seeds': [moody.url('/', address)], 'pace': OWN})
        until = wait_blocked(daemon, name=address)['until']
        left_s = time.mktime(time.strptime(until[:19], '%Y-%m-%dT%H:%M:%S')) - time.mktime(time.gmtime())
        assert least - 30 <= left_s <= most + 1, (value, left_s)
        assert len(moody.asked) == 1


def test_without_limits_nothing_more_is_sent_either(stage):
    moody, daemon = Moody(stage), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(400)], 'pace': {**OWN, 'in_flight': 20}})
    harness.wait_until(lambda: len(moody.asked) > 50, 'some pages')
    moody.answer = (429, {'Retry-After': '3'})
    wait_blocked(daemon)
    harness.wait_until(lambda: daemon.show(job)['counts']['in_flight'] == 0, 'all leases came back')
    moody.answer = None
    daemon.wait_done(job)
    assert {row['status'] for row in daemon.rows(job)} == {200}
    first = min(t for t, _, status in moody.asked if status == 429)
    crossed = [t for t, _, _ in moody.asked if first <= t < first + 2.9]
    again = min(t for t, _, _ in moody.asked if t >= first + 2.9)
    assert len(crossed) <= 20, 'more was sent than was in flight at the first 429'
    assert again >= max(crossed) + 2.9, (again, crossed)


def test_the_block_is_the_hosts_for_all_jobs_and_ports(stage):
    moody, second, daemon = Moody(stage), Moody(stage), stage.crawld(settings={'workers': 2})
    busy_for(moody, {'Retry-After': '3'})
    first_job = daemon.submit({'seeds': [moody.url('/a')], 'pace': POLITE})
    wait_blocked(daemon)
    second_job = daemon.submit({'seeds': [second.url('/b')], 'pace': OWN})
    daemon.wait_done(first_job)
    daemon.wait_done(second_job)
    assert second.asked[0][0] >= moody.asked[0][0] + 2.9, 'the other port was asked'


def test_a_killed_daemon_still_knows_its_blocks(stage):
    moody, daemon = Moody(stage), stage.crawld(settings={'commit_interval': '20ms'})
    busy_for(moody, {'Retry-After': '8'})
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(3)], 'pace': POLITE})
    until = wait_blocked(daemon)['until']
    wait_written(daemon)
    for _ in range(2):
        daemon.kill()
        daemon.start()
        assert wait_blocked(daemon)['until'][:18] == until[:18], 'another time than before'
    daemon.wait_done(job)
    check_wait(moody, 7.9, 30)
    assert daemon.call('verify')['ok']


def test_a_worker_killed_right_after_the_429_breaks_no_block(stage):
    moody, daemon = Moody(stage), stage.crawld(settings={'workers': 1})
    busy_for(moody, {'Retry-After': '4'})
    job = daemon.submit({'seeds': [moody.url('/a')], 'pace': OWN})
    wait_blocked(daemon)
    [worker] = daemon.call('worker.list')['items']
    os.kill(worker['pid'], signal.SIGKILL)
    daemon.wait_done(job)
    stops = [t for t, _, status in moody.asked if status == 429]
    assert all(t >= max(stops) + 3.9 for t, _, status in moody.asked if status == 200), moody.asked


def test_a_block_that_ends_while_the_daemon_is_down_is_over(stage):
    moody, daemon = Moody(stage), stage.crawld()
    busy_for(moody, {'Retry-After': '2'})
    job = daemon.submit({'seeds': [moody.url('/a')], 'pace': POLITE})
    wait_blocked(daemon)
    wait_written(daemon)
    daemon.kill()
    time.sleep(2)
    daemon.start()
    daemon.wait_done(job, patience_s=20)
    check_wait(moody, 2)


def test_ten_failures_in_a_row_block_the_host(stage):
    daemon, port = stage.crawld(), harness.free_port()
    job = daemon.submit({'seeds': [f'http://127.0.0.1:{port}/{n}' for n in range(40)], 'pace': {**OWN, 'connections_per_host': 1}, 'retry': {'attempts': 1}})
    blocked = wait_blocked(daemon, 'failures')
    assert blocked['why'] == 'connect_refused', blocked
    assert host_of(daemon)['failures'] >= 10
    counts = daemon.show(job)['counts']
    assert counts['queued'] == 30, counts
    harness.wait_until(lambda: daemon.show(job)['counts']['failed'] == 10, 'ten rows')
    daemon.call('job.cancel', job=job)
    daemon.wait_state(job, 'cancelled')
    assert sum(row['outcome'] == 'excluded' for row in daemon.rows(job)) == 30


def test_an_answer_between_failures_keeps_a_host_open(stage):
    moody, daemon, port = Moody(stage), stage.crawld(), harness.free_port()
    urls = [url for n in range(6) for url in [f'http://127.0.0.1:{port}/{n}/{k}' for k in range(8)] + [moody.url(f'/{n}')]]
    job = daemon.submit({'seeds': urls, 'pace': {**OWN, 'connections_per_host': 1}, 'retry': {'attempts': 1}})
    daemon.wait_done(job)
    assert host_of(daemon)['blocked'] is None


def test_urls_of_a_stopped_host_end_when_the_jobs_patience_does(stage):
    moody, daemon = Moody(stage), stage.crawld(settings={'workers': 2})
    moody.answer = (429, {'Retry-After': '1'})
    hasty = daemon.submit({'seeds': [moody.url(f'/hasty/{n}') for n in range(5000)], 'pace': POLITE, 'retry': {'give_up_s': 3}})
    patient = daemon.submit({'seeds': [moody.url('/patient')], 'pace': POLITE, 'retry': {'give_up_s': 600}})
    begin = time.monotonic()
    daemon.wait_done(hasty)
    assert time.monotonic() - begin > 2.5, 'given up too early'
    rows = daemon.rows(hasty)
    assert {(row['outcome'], row['reason'], row['detail']) for row in rows} == {('failed', 'host_unavailable', '429')}, rows[:3]
    assert daemon.show(patient)['counts']['queued'] + daemon.show(patient)['counts']['in_flight'] == 1
    moody.answer = None
    daemon.wait_done(patient)
    assert daemon.rows(patient)[0]['outcome'] == 'stored'


def test_one_page_that_is_always_unavailable_ends_alone(stage):
    moody, daemon = Moody(stage), stage.crawld()
    moody.answer = lambda path: (503, {'Retry-After': '1'}) if path == '/sick' else (302, {'Location': '/sick'}) if path == '/to-it' else None
    job = daemon.submit({'seeds': [moody.url('/sick'), moody.url('/to-it'), *(moody.url(f'/{n}') for n in range(20))], 'pace': POLITE,
                         'retry': {'give_up_s': 6}})
    daemon.wait_done(job)
    ends = {row['url'].rpartition('/')[2]: row['outcome'] for row in daemon.rows(job)}
    assert ends == {'sick': 'failed', 'to-it': 'failed', **{str(n): 'stored' for n in range(20)}}, ends


def test_a_server_that_recovers_is_not_given_up(stage):
    moody, daemon = Moody(stage), stage.crawld()
    moody.answer = lambda path: (503, {'Retry-After': '2'}) if len(moody.asked) % 2 == 0 else None
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(3)], 'pace': OWN, 'retry': {'give_up_s': 3}})
    daemon.wait_done(job)
    assert {row['outcome'] for row in daemon.rows(job)} == {'stored'}, daemon.rows(job)


def test_a_blocked_job_can_be_paused_resumed_and_cancelled(stage):
    moody, daemon = Moody(stage), stage.crawld()
    moody.answer = (429, {'Retry-After': '2'})
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(30)], 'pace': POLITE})
    wait_blocked(daemon)
    daemon.call('job.pause', job=job)
    daemon.wait_state(job, 'paused')
    harness.wait_until(lambda: not host_of(daemon)['blocked'], 'the block is over')
    asked = len(moody.asked)
    time.sleep(0.5)
    assert len(moody.asked) == asked
    daemon.call('job.resume', job=job)
    harness.wait_until(lambda: len(moody.asked) == asked + 1, 'one more request')
    wait_blocked(daemon)
    daemon.call('job.cancel', job=job)
    daemon.wait_state(job, 'cancelled')
    assert all(row['reason'] == 'cancelled' for row in daemon.rows(job))


def test_the_operator_blocks_and_unblocks(stage):
    moody, daemon = Moody(stage), stage.crawld(settings={'workers': 2})
    job = daemon.submit({'seeds': [moody.url(f'/{n}') for n in range(1000)], 'pace': {**OWN, 'delay_ms': 5, 'connections_per_host': 1}})
    harness.wait_until(lambda: len(moody.asked) > 20, 'some pages')
    daemon.ctl('host', 'block', '127.0.0.1')
    harness.wait_until(lambda: not daemon.show(job)['counts']['in_flight'], 'nothing is in flight')
    asked = len(moody.asked)
    time.sleep(1)
    assert len(moody.asked) == asked, 'asked while blocked'
    shown = daemon.ctl('host', 'show', '127.0.0.1').stdout
    assert 'operator' in shown and 'until unblocked' in shown, shown
    daemon.kill()
    daemon.start()
    assert wait_blocked(daemon, 'operator')['until'] is None
    assert len(moody.asked) == asked
    daemon.ctl('host', 'unblock', '127.0.0.1')
    daemon.wait_done(job)
    again = daemon.ctl('host', 'unblock', '127.0.0.1', check=False)
    assert again.returncode == 6, again.stderr
    assert daemon.ctl('host', 'unblock', 'nowhere.test', check=False).returncode == 4
    assert daemon.ctl('host', 'block', 'http://a/b', check=False).returncode == 2
    daemon.kill()
    daemon.start()
    assert daemon.status()['hosts_blocked']['all'] == 0


def test_an_operators_block_may_have_an_end(stage):
    moody, daemon = Moody(stage), stage.crawld()
    daemon.ctl('host', 'block', '127.0.0.1', '--for', '3s')
    begin = time.monotonic()
    job = daemon.submit({'seeds': [moody.url('/a')], 'pace': OWN})
    daemon.wait_done(job)
    assert moody.asked[0][0] - begin > 2.5


def test_hosts_are_listed_in_pages_and_by_key(stage):
    daemon = stage.crawld()
    port = harness.free_port()
    daemon.submit({'seeds': [f'http://h{n}.test:{port}/{k}' for n in range(40) for k in range(n % 7 + 1)], 'pace': OWN}, paused=True)
    harness.wait_until(lambda: sum(item['queued'] for item in daemon.call('host.list')['items']) == sum(n % 7 + 1 for n in range(40)), 'all are queued')
    names, after = [], {}
    while True:
        page = daemon.call('host.list', limit=7, **after)
        names += [item['host'] for item in page['items']]
        if not page['next']:
            break
        after = {'after': page['next']}
    assert names == [f'h{n}.test' for n in range(40)], names
    queued, after = [], {}
    while True:
        page = daemon.call('host.list', limit=9, sort='queued', **after)
        queued += [item['queued'] for item in page['items']]
        if not page['next']:
            break
        after = {'after': page['next']}
    assert queued == sorted((n % 7 + 1 for n in range(40)), reverse=True), queued
    daemon.call('host.block', host='h9.test')
    daemon.call('host.block', host='h8.test', for_s=100)
    assert [item['host'] for item in daemon.call('host.list', limit=2, sort='blocked')['items']] == ['h9.test', 'h8.test']
    text = daemon.ctl('hosts', '--sort', 'blocked').stdout
    assert text.splitlines()[1].startswith('h9.test'), text
    try:
        daemon.call('host.list', sort='colour')
        raise AssertionError('took a key that does not exist')
    except harness.Refused as refused:
        assert refused.code == 'bad_argument'


def test_a_damaged_hosts_log_is_kept_aside_and_told(stage):
    daemon = stage.crawld()
    for n in range(5):
        daemon.call('host.block', host=f'h{n}.test')
    path = os.path.join(daemon.state_dir, 'hosts.log')
    daemon.kill()
    with open(path, 'r+b') as file:
        file.seek(120)
        file.write(b'?')
    daemon.start()
    assert daemon.status()['hosts_blocked']['operator'] == 4
    assert os.path.exists(path + '.damaged') and 'hosts.log is damaged' in daemon.log()
    assert daemon.call('verify')['ok']
    with open(path, 'r+b') as file:
        file.seek(120)
        file.write(b'?')
    report = daemon.call('verify')
    assert not report['ok'] and any('hosts.log' in text for text in report['problems']), report
