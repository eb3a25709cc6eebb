# SPDX-License-Identifier: MIT
"""Workers that crash, hang, die young or talk too much."""
import os
import re
import signal
import subprocess
import threading
import time

import harness
from siege import Feeder, Watcher, children, judge, kill

OWN = {'preset': 'own', 'in_flight': 40}


def test_a_crashing_worker_gives_its_leases_back(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    urls = [origin.url(f'/delay/5/{n}') for n in range(4000)]
    with Feeder(daemon, {'name': 'fed', 'pace': OWN}, urls) as feeder, Watcher(daemon):
        for n in range(6):
            time.sleep(0.2)
            for pid in children(daemon.process.pid)[:1]:
                kill(pid, (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)[n % 3])
        feeder.wait()
        judge(daemon, 'fed', urls)
    assert re.search(r'worker ended .*exitcode=-(6|7|11)\b', daemon.log()) or 'AddressSanitizer' in daemon.log(), daemon.log()
    items = daemon.call('worker.list')['items']
    assert sum(item['restarts'] for item in items) >= 3, items


def test_a_hanging_worker_is_killed_and_replaced(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 1})
    urls = [origin.url(f'/delay/20/{n}') for n in range(500)]
    job = daemon.submit({'name': 'fed', 'pace': {**OWN, 'in_flight': 10}, 'seeds': urls})
    harness.wait_until(lambda: daemon.show(job)['counts']['stored'] > 20, 'the first pages')
    [worker] = children(daemon.process.pid)
    os.kill(worker, signal.SIGSTOP)
    harness.wait_until(lambda: 'no sign of life' in daemon.log(), 'the silence is heard', 30)
    judge(daemon, job, urls)
    assert children(daemon.process.pid) != [worker]


def test_workers_that_die_young_come_back_ever_slower(stage):
    daemon = stage.crawld(settings={'workers': 1})
    deaths, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        for pid in children(daemon.process.pid):
            kill(pid)
            deaths += 1
            harness.wait_until(lambda: pid not in children(daemon.process.pid), 'it is reaped')
        time.sleep(0.005)
    assert 2 <= deaths <= 7, f'{deaths} deaths in three seconds: 0.1, 0.2, 0.4, 0.8, 1.6 s should lie between'


def test_a_workers_last_words_are_in_the_log_or_counted(stage):
    daemon = stage.crawld(settings={'workers': 1})
    [worker] = children(daemon.process.pid)
    count = 20000
    with open(f'/proc/{worker}/fd/2', 'wb', buffering=0) as pipe:
        for n in range(count):
            pipe.write(b'<4>word %06d of the last words of a worker, and fill\n' % n)
        pipe.write(b'no newline at the end')
    kill(worker)
    harness.wait_until(lambda: 'worker ended' in daemon.log(), 'it is buried')
    harness.wait_until(lambda: 'suppressed' in daemon.log(), 'the rest is counted')
    log = daemon.log()
    said = re.findall(r'word (\d{6}) of the last words of a worker, and fill$', log, re.M)
    suppressed = sum(int(n) for n in re.findall(r'lines suppressed worker=0 count=(\d+)', log))
    whole = len(said) + ('no newline at the end' in log)
    assert whole + suppressed == count + 1, (whole, suppressed)
    assert len(set(said)) == len(said) and log.count('of the last words') == len(said), 'lines are torn'


def test_a_worker_that_broke_the_protocol_is_not_heard_any_more(stage):
    answer, daemon = threading.Event(), stage.crawld(settings={'workers': 1})

    def choose(number, request):
        answer.wait(harness.PATIENCE_S)
        return [['send', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue'], ['close']]
    server = stage.scripted(choose=choose)
    job = daemon.submit({'seeds': [server.url('/')], 'pace': OWN})
    harness.wait_until(lambda: server.requests, 'it is asked for')
    [worker] = children(daemon.process.pid)
    os.kill(worker, signal.SIGSTOP)
    done = subprocess.run([harness.program('tests', 'liar'), str(worker), str(1 << 32)], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        raise harness.Skip(done.stderr)
    assert not done.returncode, done.stderr
    harness.wait_until(lambda: 'broke the protocol' in daemon.log() and 'worker ended' in daemon.log(), 'it is killed')
    answer.set()
    [row] = daemon.wait_done(job) and daemon.rows(job)
    assert row['outcome'] == 'stored', row


def test_a_busy_worker_gets_the_files_of_many_jobs_at_once(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 1, 'commit_interval': '20ms'})
    first = daemon.submit({'seeds': [origin.url('/first')], 'pace': OWN})
    daemon.wait_done(first)
    [worker] = children(daemon.process.pid)
    os.kill(worker, signal.SIGSTOP)
    jobs = [daemon.submit({'seeds': [origin.url(f'/{n}/{i}?{"x" * 300}') for i in range(100)], 'pace': {'preset': 'own'}})
            for n in range(64)]
    harness.wait_until(lambda: daemon.status()['counts']['in_flight'] == 6400 or 'no sign of life' in daemon.log(), 'all are leased')
    os.kill(worker, signal.SIGCONT)
    for job in jobs:
        daemon.wait_done(job)
        assert len(daemon.check_pages(job)) == 100
    assert 'cannot pass a file' not in daemon.log(), daemon.log()
