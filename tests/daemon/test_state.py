# SPDX-License-Identifier: MIT
"""The state directory: whose it is, what lies in it damaged or half made, and how a daemon leaves it."""
import fcntl
import glob
import json
import os
import re
import shlex
import signal
import time

import harness
from siege import Feeder, judge

OWN = {'preset': 'own', 'in_flight': 20}


def ended(stage, state_dir, **options):
    """A second daemon on a state directory: its exit code and its log."""
    second = harness.Crawld(stage, name=f'second{time.monotonic_ns()}', **options)
    second.state_dir = state_dir
    second.start(ready=False)
    return second.process.wait(), second.log()


def test_a_state_held_by_orphaned_workers_is_refused(stage):
    daemon = stage.crawld()
    assert daemon.stop() == 0
    with open(os.path.join(daemon.state_dir, 'lock'), 'r+', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, log = ended(stage, daemon.state_dir)
        assert code == 75 and f'pid={daemon.process.pid}' in log, (code, log)
    daemon.start()


def test_a_state_directory_that_cannot_be_used_is_said(stage):
    stage.write('file', 'no directory')
    for path in (stage.path('file'), '/proc/none', '/dev/null/x'):
        code, log = ended(stage, path)
        assert code == 1 and path in log, (code, log)


def small_job(daemon, origin, name, count=200):
    urls = [origin.url(f'/p/{name}/{n}') for n in range(count)]
    daemon.submit({'name': name, 'seeds': urls, 'pace': OWN, 'keep_open': True})
    harness.wait_until(lambda: daemon.show(name)['idle'], 'idle')
    return urls


def flip(path, offset, count=8):
    with open(path, 'r+b') as file:
        file.seek(offset)
        data = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ 0x5a for byte in data))


def test_a_damaged_journal_stops_its_job_alone(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms'})
    urls = {name: small_job(daemon, origin, name) for name in ('bad', 'good')}
    daemon.kill()
    flip(os.path.join(daemon.job_dir('bad'), 'frontier.log'), 1000)
    daemon.start()
    assert daemon.show('bad')['state'] == 'damaged' and 'frontier.log' in daemon.show('bad')['why'], daemon.show('bad')
    assert daemon.show('good')['state'] == 'running'
    for op in ('job.pause', 'job.finish', 'job.cancel'):
        try:
            daemon.call(op, job='bad')
            assert False, op
        except harness.Refused as refused:
            assert refused.code == 'wrong_state', refused
    daemon.call('job.finish', job='good')
    judge(daemon, 'good', urls['good'])
    daemon.call('job.delete', job='bad')
    assert [job['name'] for job in daemon.call('job.list')['items']] == ['good']


def test_a_damaged_job_json_stops_its_job_alone(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = {name: small_job(daemon, origin, name) for name in ('bad', 'good')}
    daemon.kill()
    flip(os.path.join(daemon.job_dir('bad'), 'job.json'), 1)
    daemon.start()
    assert daemon.show('bad')['state'] == 'damaged' and 'job.json' in daemon.show('bad')['why'], daemon.show('bad')
    daemon.call('job.finish', job='good')
    judge(daemon, 'good', urls['good'])


def test_results_cut_short_are_damage(stage):
    origin, daemon = stage.origin(), stage.crawld()
    small_job(daemon, origin, 'bad')
    daemon.kill()
    os.truncate(os.path.join(daemon.job_dir('bad'), 'results.jsonl'), 100)
    daemon.start()
    assert daemon.show('bad')['state'] == 'damaged' and 'results.jsonl' in daemon.show('bad')['why'], daemon.show('bad')


def test_a_torn_tail_heals_with_one_line(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = small_job(daemon, origin, 'torn')
    daemon.kill()
    with open(os.path.join(daemon.job_dir('torn'), 'frontier.log'), 'ab') as file:
        file.write(b'\xb7jb\n' + bytes(range(100)))
    with open(os.path.join(daemon.job_dir('torn'), 'results.jsonl'), 'ab') as file:
        file.write(b'{"seq":9999,"url":"http://nev')
    daemon.start()
    assert daemon.log().count('torn tail') == 1, daemon.log()
    assert daemon.show('torn')['state'] == 'running'
    daemon.call('job.finish', job='torn')
    judge(daemon, 'torn', urls)


def test_what_was_begun_of_a_job_is_removed_at_the_start(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.kill()
    for name, rows in (('begun', None), ('empty', b''), ('rows', b'{"seq":1}\n')):
        os.makedirs(os.path.join(daemon.job_dir(name), 'warc'))
        if rows is not None:
            with open(os.path.join(daemon.job_dir(name), 'results.jsonl'), 'wb') as file:
                file.write(rows)
    daemon.start()
    assert daemon.call('job.list')['items'] == []
    left = os.listdir(os.path.join(daemon.state_dir, 'jobs'))
    assert len(left) == 1 and left[0].startswith('rows.KEPT-'), left
    for name in ('begun', 'empty', 'rows'):
        daemon.submit({'name': name, 'seeds': [origin.url('/p/1')], 'pace': OWN})
        daemon.wait_done(name)


def open_files(daemon):
    return glob.glob(os.path.join(daemon.state_dir, 'jobs', '*', 'warc', '*.open'))


def test_a_drain_ends_at_its_deadline_and_requeues_what_is_slow(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'drain_timeout': '1s', 'workers': 2})
    urls = [origin.url(f'/delay/{20 if n % 2 else 60000}/{n}') for n in range(60)]
    job = daemon.submit({'seeds': urls, 'pace': {**OWN, 'in_flight': 50}, 'timeouts': {'total_ms': 100000, 'first_byte_ms': 90000}})
    harness.wait_until(lambda: daemon.show(job)['counts']['stored'] >= 20, 'the quick pages')
    assert daemon.stop() == 0, daemon.log()
    assert not open_files(daemon), 'a file was not finished'
    daemon.start()
    counts = daemon.show(job)['counts']
    assert counts['stored'] >= 20 and counts['failed'] == 0 and counts['accepted'] == 60, counts
    daemon.call('job.cancel', job=job)
    assert daemon.stop() == 0, daemon.log()
    daemon.start()
    daemon.wait_state(job, 'cancelled')
    assert len(daemon.check_pages(job)) == 60


def test_a_second_sigterm_ends_at_once_and_loses_nothing(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    urls = [origin.url(f'/delay/5/{n}') for n in range(2000)]
    slow = origin.url('/delay/100000/slow')
    with Feeder(daemon, {'name': 'fed', 'pace': {'preset': 'own'}, 'timeouts': {'total_ms': 900000, 'first_byte_ms': 900000}},
                [slow] + urls) as feeder:
        feeder.wait()
    harness.wait_until(lambda: daemon.show('fed')['counts']['stored'] > 50, 'the first pages')
    daemon.process.signal(signal.SIGTERM)
    harness.wait_until(lambda: 'stopping' in daemon.log(), 'it drains')
    assert daemon.process.alive()
    assert daemon.stop() == 0, daemon.log()
    assert not open_files(daemon), 'a file was not finished'
    daemon.start()
    harness.wait_until(lambda: daemon.show('fed')['counts']['stored'] == len(urls), 'the rest')
    rows = daemon.check_pages('fed')
    assert sorted(row['url'] for row in rows) == sorted(urls)


def test_a_sigterm_at_any_time_of_a_start_exits_with_0(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    urls = [origin.url(f'/delay/2000/{n}') for n in range(20000)]
    for name in ('one', 'two'):
        with Feeder(daemon, {'name': name, 'pace': OWN}, urls) as feeder:
            feeder.wait()
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    for n in range(12):
        earlier = len(daemon.log())
        daemon.start(ready=False)
        time.sleep(n * 0.02 + 0.08)
        daemon.process.signal(signal.SIGTERM)
        time.sleep(0.01)
        code = daemon.stop()
        assert code == 0 or (code == -signal.SIGTERM and 'notice' not in daemon.log()[earlier:]), (n, code, daemon.log())
    daemon.start()
    for name in ('one', 'two'):
        assert daemon.show(name)['counts']['accepted'] == len(urls)


def test_a_sigterm_during_submissions_loses_no_acknowledged_job(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 1})
    known = set()
    for n in range(8):
        client = daemon.client()
        requests = {name: client.send('job.submit', spec={'name': name, 'seeds': [origin.url('/p/1')], 'pace': OWN})
                    for name in (f'j{n}-{k}' for k in range(20))}
        time.sleep(n * 0.004)
        assert daemon.stop() == 0, daemon.log()
        for name, request in requests.items():
            try:
                known |= {name} if client.receive(request)['ok'] else set()
            except (OSError, EOFError):
                break
        daemon.start()
        there = {job['name'] for job in daemon.call('job.list', limit=1000)['items']}
        assert known <= there, known - there


def verified(daemon, *arguments):
    """What crawlctl verify says and its exit code."""
    done = daemon.ctl('--json', 'verify', *arguments, check=False)
    return json.loads(done.stdout), done.returncode


def test_verify_finds_nothing_wrong_with_jobs_that_run_or_ended(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms', 'workers': 2})
    urls = small_job(daemon, origin, 'idle')
    with Feeder(daemon, {'name': 'busy', 'pace': OWN, 'store': {'rotate_bytes': 30000}},
                [origin.url(f'/delay/2/{n}') for n in range(4000)]) as feeder:
        feeder.wait()
        while daemon.show('busy')['state'] != 'done':
            result, code = verified(daemon)
            assert result['ok'] and code == 0 and result['problems'] == [], result
    result, code = verified(daemon)
    jobs = {job['name']: job for job in result['jobs']}
    assert jobs['busy']['stored'] == jobs['busy']['rows'] == 4000 and jobs['idle']['rows'] == len(urls), jobs


def test_verify_finds_what_is_damaged(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms', 'workers': 1})
    for name in ('page', 'row', 'good'):
        small_job(daemon, origin, name)
        daemon.call('job.finish', job=name)
        daemon.wait_done(name)
    record = daemon.rows('page')[50]['warc']
    flip(os.path.join(daemon.job_dir('page'), 'warc', record['file']), record['offset'] + record['length'] // 2)
    flip(os.path.join(daemon.job_dir('row'), 'results.jsonl'), 1000)
    result, code = verified(daemon)
    wrong = {job['name'] for job in result['jobs'] if not job['ok']}
    assert wrong == {'page', 'row'} and code == 1 and not result['ok'] and result['problems'], (code, result)
    result, code = verified(daemon, 'good')
    assert [job['name'] for job in result['jobs']] == ['good'] and code == 0, result
    assert 'page' in daemon.ctl('verify', 'page', check=False).stdout


def refused(daemon, *arguments):
    """The exit code and the words of a crawlctl that is to fail."""
    done = daemon.ctl(*arguments, check=False)
    assert done.returncode, done.stdout
    return done.returncode, done.stderr


def test_a_damaged_journal_is_repaired_by_the_command_its_job_names(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms'})
    urls = small_job(daemon, origin, 'bad')
    for part in range(3):
        more = [origin.url(f'/more/{part}/{n}') for n in range(100)]
        daemon.call('job.add', job='bad', urls=more)
        harness.wait_until(lambda: daemon.show('bad')['idle'], 'idle again')
        urls += more
    daemon.kill()
    path = os.path.join(daemon.job_dir('bad'), 'frontier.log')
    with open(path, 'rb') as file:
        flip(path, file.read().index(b'/more/1/50'))
    daemon.start()
    shown = daemon.show('bad')
    assert shown['state'] == 'damaged', shown
    [command] = re.findall('`crawlctl (.*?)`', shown['why'])
    done = daemon.ctl(*shlex.split(command))
    assert 'cut ' in done.stdout and done.stdout.endswith('ok\n'), done.stdout
    shown = daemon.show('bad')
    assert shown['state'] == 'running' and 0 < shown['counts']['accepted'] < len(urls), shown
    for n in range(0, len(urls), 100):
        daemon.call('job.add', job='bad', urls=urls[n:n + 100])
    daemon.call('job.finish', job='bad')
    judge(daemon, 'bad', urls)
    daemon.kill()
    daemon.start()
    judge(daemon, 'bad', urls)


def test_a_job_that_ended_and_lost_rows_is_repaired_and_fetches_them_again(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms'})
    urls = [origin.url(f'/delay/2/{n}') for n in range(300)]
    job = daemon.submit({'seeds': urls, 'pace': {**OWN, 'in_flight': 2}})
    daemon.wait_done(job)
    path = os.path.join(daemon.job_dir(job), 'results.jsonl')
    os.truncate(path, os.path.getsize(path) // 2)
    assert refused(daemon, 'verify', job)[0] == 1
    done = daemon.ctl('--json', 'verify', job, '--repair')
    assert json.loads(done.stdout)['cut_bytes'] > 0, done.stdout
    judge(daemon, job, urls)
    again = len(origin.ledger().requests) - len(urls)
    assert 0 < again < len(urls), again
    daemon.kill()
    daemon.start()
    judge(daemon, job, urls)
    assert json.loads(daemon.ctl('--json', 'verify', job, '--repair').stdout)['cut_bytes'] == 0
    judge(daemon, job, urls)


def test_what_cannot_be_repaired_is_refused(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms'})
    for name in ('running', 'headless', 'unnamed'):
        small_job(daemon, origin, name, 20)
    daemon.kill()
    flip(os.path.join(daemon.job_dir('headless'), 'frontier.log'), 8)
    flip(os.path.join(daemon.job_dir('unnamed'), 'job.json'), 1)
    daemon.start()
    assert '--repair' not in daemon.show('headless')['why'], daemon.show('headless')
    assert refused(daemon, 'verify', 'running', '--repair')[0] == 6
    assert refused(daemon, 'verify', 'unnamed', '--repair')[0] == 6
    assert refused(daemon, 'verify', '--repair')[0] == 2
    assert refused(daemon, 'verify', 'none', '--repair')[0] == 4
    code, words = refused(daemon, 'verify', 'headless', '--repair')
    assert code == 1 and 'cannot be repaired' in words, (code, words)
    assert daemon.show('headless')['state'] == 'damaged'
    daemon.ctl('delete', 'headless')


def test_a_job_that_cannot_be_read_can_be_deleted_and_is_cancelled_when_it_can(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '10ms'})
    names, urls = ('back', 'gone', 'kept'), {}
    for name in names:
        urls[name] = small_job(daemon, origin, name, 20)
    daemon.kill()
    for name in names:
        os.rename(os.path.join(daemon.job_dir(name), 'frontier.log'), stage.path(name))
    daemon.start()
    for name in names:
        shown = daemon.show(name)
        assert shown['state'] == 'paused' and shown['why'].startswith('ENOENT'), shown
    for op in ('cancel', 'pause', 'resume', 'finish'):
        code, words = refused(daemon, op, 'back')
        assert code == 6 and 'ENOENT' in words and 'hint: ' in words, (op, code, words)
    daemon.ctl('delete', 'gone')
    assert not os.path.exists(daemon.job_dir('gone'))
    kept = os.path.getsize(os.path.join(daemon.job_dir('kept'), 'results.jsonl'))
    daemon.ctl('delete', 'kept', '--keep-data')
    [path] = glob.glob(daemon.job_dir('kept') + '.KEPT-*')
    assert os.path.getsize(os.path.join(path, 'results.jsonl')) == kept
    assert [job['name'] for job in daemon.call('job.list')['items']] == ['back']
    os.rename(stage.path('back'), os.path.join(daemon.job_dir('back'), 'frontier.log'))
    daemon.wait_state('back', 'running')
    daemon.ctl('cancel', 'back')
    daemon.wait_state('back', 'cancelled')
    assert len(daemon.rows('back')) == 20
    daemon.submit({'name': 'gone', 'seeds': urls['gone'], 'pace': OWN})
    judge(daemon, 'gone', urls['gone'])
