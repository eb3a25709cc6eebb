# SPDX-License-Identifier: MIT
"""A job under fire: it is fed and watched while its daemon and workers are killed, and judged at the end.

A Feeder streams URLs with job.add and remembers what was acknowledged; it goes on behind a restart. A Siege kills the
daemon at random moments and starts it again, and kills workers in between. Every random choice comes from
CRAWLD_TEST_SEED; CRAWLD_TEST_KILLS says how often the daemon is killed.
"""
import os
import random
import signal
import threading
import time

import harness

SEED = int(os.environ.get('CRAWLD_TEST_SEED', '1'))
KILLS = int(os.environ.get('CRAWLD_TEST_KILLS', '20'))
GONE = (OSError, EOFError)
BATCH = 100


def children(pid):
    """The process ids of a process's children."""
    try:
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def has_ended(refused):
    """Whether an earlier `last` counts whose answer was lost: judge() sees whether all before it was taken, too."""
    return refused.code == 'wrong_state' and 'its input has ended' in str(refused)


class Siege:
    """Kills until `kills` is reached; the daemon runs again when it is over."""

    def __init__(self, daemon, kills=None, workers=True, longest_s=0.5, seed=SEED):
        print('seed', seed)
        self.daemon, self.left, self.workers, self.longest_s = daemon, kills or KILLS, workers, longest_s
        self.random = random.Random(seed)

    def shoot_for(self, seconds):
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            time.sleep(min(left_s, self.random.uniform(0.02, 0.3)))
            pids = children(self.daemon.process.pid)
            if self.workers and pids and self.random.random() < 0.5:
                kill(self.random.choice(pids))

    def shoot_daemon(self):
        """One kill, with whatever it was doing; started again."""
        self.shoot_for(self.random.uniform(0.01, self.longest_s))
        self.daemon.kill()
        self.left -= 1
        self.daemon.start()

    def run(self):
        while self.left > 0:
            self.shoot_daemon()


class Feeder:
    """Gives a job its URLs, a batch at a time, again and again until each was acknowledged."""

    def __init__(self, daemon, spec, urls):
        self.daemon, self.spec, self.batches = daemon, spec, [urls[i:i + BATCH] for i in range(0, len(urls), BATCH)]
        self.acknowledged, self.stop, self.error = 0, False, None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def submit(self, client):
        try:
            client.call('job.submit', spec=self.spec, more=True)
        except harness.Refused as refused:
            if refused.code != 'already_exists':
                raise

    def feed(self, client):
        """Until the daemon dies, or all is acknowledged."""
        if not self.acknowledged:
            self.submit(client)
        ids, sent = {}, self.acknowledged
        while self.acknowledged < len(self.batches):
            while sent < len(self.batches) and sent - self.acknowledged < 8:
                last = sent == len(self.batches) - 1
                ids[sent] = client.send('job.add', job=self.spec['name'], urls=self.batches[sent], last=last)
                sent += 1
            answer = client.receive(ids.pop(self.acknowledged))
            if not answer['ok']:
                raise harness.Refused('job.add', answer['error'])
            self.acknowledged += 1

    def run(self):
        while self.acknowledged < len(self.batches) and not self.stop:
            try:
                with harness.Client(self.daemon.socket_path) as client:
                    self.feed(client)
            except GONE:
                time.sleep(0.01)
            except harness.Refused as refused:
                if has_ended(refused):
                    self.acknowledged = len(self.batches)
                elif refused.code not in ('recovering', 'shutting_down'):
                    self.error = refused
                    return
                time.sleep(0.01)
            except BaseException as error:
                self.error = error
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join(harness.PATIENCE_S)

    def wait(self):
        self.thread.join(harness.PATIENCE_S)
        if self.error:
            raise self.error
        assert self.acknowledged == len(self.batches), f'{self.acknowledged} of {len(self.batches)} batches acknowledged'


class Watcher:
    """Asks for status all the time; the harness checks the counters of each."""

    def __init__(self, daemon):
        self.daemon, self.stop, self.error, self.samples = daemon, False, None, 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop:
            try:
                with harness.Client(self.daemon.socket_path) as client:
                    while not self.stop:
                        client.call('status')
                        self.samples += 1
                        time.sleep(0.005)
            except GONE:
                time.sleep(0.005)
            except harness.Refused:
                time.sleep(0.005)
            except AssertionError as error:
                self.error = error
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join(harness.PATIENCE_S)
        if self.error:
            raise self.error


def judge(daemon, job, urls, outcome='stored'):
    """Each URL has one row and it is whole; nothing else lies in the WARC files but hops and attempts. The rows."""
    daemon.wait_done(job)
    rows = daemon.check_pages(job)
    verified = daemon.call('verify', job=job)
    assert verified['ok'], verified
    assert sorted(row['url'] for row in rows) == sorted(urls), \
        (len(rows), len(urls), sorted(set(urls) - {row['url'] for row in rows})[:3])
    wrong = [row for row in rows if row['outcome'] != outcome]
    assert not wrong, (len(wrong), wrong[:3])
    records = {(os.path.basename(path), record.offset) for path in daemon.warc_paths(job)
               for record in harness.warcfile.read(path) if record.type in ('response', 'revisit')}
    named = {(row['warc']['file'], row['warc']['offset']) for row in rows if 'warc' in row}
    assert named <= records, sorted(named - records)[:3]
    assert not [path for path in daemon.warc_paths(job) if path.endswith('.open')], 'a file of a done job is open'
    assert len(named) == len([row for row in rows if 'warc' in row]), 'two rows point at one record'
    return rows, records
