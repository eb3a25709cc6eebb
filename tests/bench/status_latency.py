#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long `status` takes while the daemon is busy: p50, p99 and the longest, by what it is busy with.

usage: status_latency.py [--urls N] [--hosts N] [--build DIR] [--slow-disk SECONDS]

One client asks `status` every 5 ms, one after the other, through: idle; a template with N words; `crawlctl submit -i` of N URLs; the same
with every fdatasync delayed (strace, if it is there); a killed worker that held what it can hold; a cancel of all;
recovery (the daemon is killed and started again; counted from its first answer). Prints one line for each and exits 1
if a p99 is above 100 ms.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'daemon'))
import harness  # noqa: E402

LIMIT_MS = 100


class Probe(threading.Thread):
    """Asks until it is told to stop."""

    def __init__(self, path, every_s=0.005):
        super().__init__(daemon=True)
        self.client, self.every_s, self.spans_ms, self.over = harness.Client(path), every_s, [], False
        self.start()

    def run(self):
        while not self.over:
            began = time.perf_counter()
            self.client.call('status')
            self.spans_ms.append((time.perf_counter() - began) * 1000)
            time.sleep(self.every_s)

    def stop(self):
        self.over = True
        self.join()
        self.client.close()
        return sorted(self.spans_ms)


class Report:
    def __init__(self):
        self.failed = False

    def line(self, what, spans, seconds):
        def at(share):
            return spans[min(len(spans) - 1, int(len(spans) * share))]
        self.failed |= at(.99) > LIMIT_MS
        print(f'{what:<34}{seconds:7.1f} s {len(spans):7} asked   p50 {at(.5):7.2f}  p99 {at(.99):7.2f}  '
              f'max {spans[-1]:8.2f} ms', flush=True)

    def during(self, what, daemon, work):
        probe, began = Probe(daemon.socket_path), time.perf_counter()
        work()
        self.line(what, probe.stop(), time.perf_counter() - began)


def write_list(stage, name, url_count, host_count):
    path = stage.path(name)
    with open(path, 'w', encoding='ascii') as file:
        for n in range(url_count):
            file.write(f'http://h{n % host_count}.bench.test:9/{name}/{n}\n')
    return path


def submit(daemon, name, path):
    daemon.ctl('submit', '--name', name, '-i', path, '--pace', 'own', '--in-flight', '1')


def submit_words(daemon, path):
    daemon.ctl('submit', '--name', 'words', '--pace', 'own', '--in-flight', '1', '--paused', '--template', 'http://{}.bench.test:9/', '--words', path)


def look_at_words(daemon):
    with daemon.client() as client:
        for op in ('job.show', 'job.resume', 'job.pause', 'job.show'):
            client.call(op, job='words')
            time.sleep(0.5)
        client.call('job.cancel', job='words')


def counts(daemon):
    with daemon.client() as client:
        return client.call('status')['counts']


def cancel(daemon, names):
    with daemon.client() as client:
        for name in names:
            client.call('job.cancel', job=name)
    while True:
        with daemon.client() as client:
            if all(client.call('job.show', job=name)['state'] == 'cancelled' for name in names):
                return
        time.sleep(0.1)


def slow_disk(daemon, seconds):
    """strace on every thread of the supervisor; ends with terminate()."""
    return subprocess.Popen(['strace', '-qq', '-f', '-o', os.devnull, '-e', 'trace=fdatasync', '-e',
                             f'inject=fdatasync:delay_enter={int(seconds * 1e6)}', '-p', str(daemon.process.pid)])


def kill_worker(daemon, origin, held):
    """A worker is killed when it holds that many fetches that do not end."""
    urls = [origin.url(f'/delay/60000/{n}') for n in range(held)]
    job = daemon.submit({'name': 'held', 'pace': {'preset': 'own'}}, more=True)
    daemon.control.call_many('job.add', [{'job': job, 'urls': urls[i:i + 1000]} for i in range(0, held, 1000)])

    def fullest():
        return max(daemon.call('worker.list')['items'], key=lambda w: w['in_flight'])
    harness.wait_until(lambda: fullest()['in_flight'] >= held // 3, 'a worker is full')
    worker = fullest()
    print(f'    the worker holds {worker["in_flight"]}', flush=True)
    os.kill(worker['pid'], signal.SIGKILL)
    harness.wait_until(lambda: any(w['restarts'] for w in daemon.call('worker.list')['items']), 'it is replaced')
    time.sleep(2)
    daemon.call('job.cancel', job=job)


def recover(daemon, names):
    daemon.start(ready=False)
    harness.wait_until(lambda: os.path.exists(daemon.socket_path) and harness_connects(daemon), 'it listens')


def harness_connects(daemon):
    try:
        harness.Client(daemon.socket_path).close()
        return True
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--urls', type=int, default=2000000)
    parser.add_argument('--hosts', type=int, default=1000000)
    parser.add_argument('--build', default=os.path.join(harness.TOP, 'build'))
    parser.add_argument('--slow-disk', type=float, default=5)
    parser.add_argument('--held', type=int, default=30000)
    options = parser.parse_args()
    os.environ['CRAWLD_BUILD'] = options.build
    os.environ['CRAWLD_TEST_PATIENCE_S'] = '600'
    harness.PATIENCE_S = 600
    stage, report = harness.Stage(), Report()
    try:
        run(stage, report, options)
    finally:
        stage.close()
        stage.remove()
    return int(report.failed)


def run(stage, report, options):
    daemon = stage.crawld(settings={'workers': '2', 'dns_servers': '127.0.0.1:9'})
    lists = [write_list(stage, name, options.urls, options.hosts) for name in ('first', 'second')]
    report.during('idle', daemon, lambda: time.sleep(2))
    words = stage.write('words', '\n'.join(f'word-{n}' for n in range(options.urls)))
    report.during(f'submit of {options.urls} words', daemon, lambda: submit_words(daemon, words))
    report.during('show, resume and pause of it', daemon, lambda: look_at_words(daemon))
    report.during(f'submit -i of {options.urls}', daemon, lambda: submit(daemon, 'first', lists[0]))
    if options.slow_disk and shutil.which('strace'):
        small = write_list(stage, 'third', options.urls // 10, options.hosts)
        tracer = slow_disk(daemon, options.slow_disk)
        time.sleep(1)
        report.during(f'submit, fdatasync takes {options.slow_disk:g} s', daemon, lambda: submit(daemon, 'third', small))
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    origin = stage.origin()
    report.during('a full worker dies', daemon, lambda: kill_worker(daemon, origin, options.held))
    daemon.kill()

    def restart():
        recover(daemon, None)
        harness.wait_until(daemon.answers, 'recovery is over')
        last = -1
        while counts(daemon)['queued'] != last:
            last = counts(daemon)['queued']
            time.sleep(1)
    began = time.perf_counter()
    daemon.start(ready=False)
    harness.wait_until(lambda: harness_connects(daemon), 'it listens')
    probe = Probe(daemon.socket_path)
    harness.wait_until(daemon.answers, 'recovery is over')
    time.sleep(5)
    report.line('recovery of them, and 5 s', probe.stop(), time.perf_counter() - began)
    report.during(f'cancel of {options.urls}', daemon, lambda: cancel(daemon, ['first']))
    report.during(f'submit of as many more', daemon, lambda: submit(daemon, 'second', lists[1]))
    memory = daemon.call('stats')['supervisor']
    print(f'supervisor: {memory["rss_bytes"] >> 20} MiB, {memory["cpu_s"]:.1f} s of CPU')


if __name__ == '__main__':
    sys.exit(main())
