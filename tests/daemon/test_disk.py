# SPDX-License-Identifier: MIT
"""A disk that is full, or fails: the job says so, is read again from disk and goes on; nothing is lost or doubled."""
import os
import re
import resource
import shutil
import subprocess
import threading

import harness
from siege import Feeder, Watcher, children, has_ended, judge

LIMIT_S = 180
OWN = {'preset': 'own', 'in_flight': 20}
SETTINGS = {'workers': 2, 'commit_interval': '20ms', 'disk_reserve': 0}
MIB = 1 << 20


def test_a_worker_gets_its_file_when_there_are_descriptors_again(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={**SETTINGS, 'workers': 1})
    job = daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(5)], 'pace': OWN}, paused=True)
    pid = daemon.process.popen.pid
    taken = {int(fd) for fd in os.listdir(f'/proc/{pid}/fd')}
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(fd for fd in range(soft) if fd not in taken), hard))
    try:
        daemon.call('job.resume', job=job)
    except harness.Refused as refused:
        assert refused.code == 'storage', refused  # job.json cannot be written either
    harness.wait_until(lambda: len(origin.ledger().requests) >= 5, 'all have been asked for')
    assert daemon.show(job)['counts']['stored'] == 0
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    daemon.wait_done(job)
    assert len(daemon.check_pages(job)) == 5


def small_disk(stage, size):
    """A file system of that many bytes where the daemon's state will lie."""
    path = stage.path('crawld.state')
    os.makedirs(path)
    if os.geteuid() or subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', path],
                                      capture_output=True, check=False).returncode:
        raise harness.Skip('cannot mount a tmpfs here')
    stage.closers.insert(0, lambda: subprocess.run(['umount', '-l', path], check=False))
    return path


def resize(path, size):
    subprocess.run(['mount', '-o', f'remount,size={size}', path], check=True)


def fill(path, leave=0):
    """A file that takes all there is but `leave` bytes."""
    filler = os.path.join(path, 'filler')
    with open(filler, 'wb', buffering=0) as file:
        try:
            while os.statvfs(path).f_bavail * os.statvfs(path).f_frsize > leave:
                file.write(bytes(4096))
        except OSError:
            pass
    return filler


def inject(stage, pid, call, error, when, n=[0]):
    """strace on a running process: the when-th such call fails, once. Ends at once by stop()."""
    if not shutil.which('strace'):
        raise harness.Skip('strace is not installed')
    n[0] += 1
    tracer = harness.Process(stage, f'strace{n[0]}', ['strace', '-f', '-p', str(pid), '-o', stage.path(f'strace{n[0]}.txt'),
                                                      '-e', f'trace={call}', '-e', f'inject={call}:error={error}:when={when}'])
    harness.wait_until(lambda: 'attached' in tracer.stderr() or not tracer.alive(), 'strace attaches')
    if not tracer.alive():
        raise harness.Skip('strace may not attach: ' + tracer.stderr())
    return tracer


def detach(stage, tracer):
    """Whether it has injected."""
    tracer.end()
    with open(stage.path(tracer.name + '.txt'), encoding='utf-8', errors='replace') as file:
        return 'INJECTED' in file.read()


def test_a_job_whose_pages_fill_the_disk_waits_and_goes_on(stage):
    path = small_disk(stage, 24 * MIB)
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = [origin.url(f'/bytes/20000?{n}') for n in range(1500)]
    with Feeder(daemon, {'name': 'fat', 'pace': OWN, 'store': {'compress': 'none'}}, urls) as feeder, Watcher(daemon):
        feeder.wait()
        assert daemon.wait_state('fat', 'paused', 'pausing')['why'].startswith('ENOSPC: ')
        resize(path, 200 * MIB)
        judge(daemon, 'fat', urls)


def test_a_job_whose_journal_fills_the_disk_waits_and_goes_on(stage):
    path = small_disk(stage, 32 * MIB)
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = [origin.url(f'/delay/3/{n}') for n in range(4000)]
    with Feeder(daemon, {'name': 'full', 'pace': OWN}, urls) as feeder, Watcher(daemon):
        feeder.wait()
        for _ in range(3):
            filler = fill(path)
            harness.wait_until(lambda: 'paus' in daemon.show('full')['state'], 'the job is held')
            assert daemon.call('status')['state']
            os.unlink(filler)
            harness.wait_until(lambda: daemon.show('full')['state'] in ('running', 'done'), 'the job goes on')
        judge(daemon, 'full', urls)


def test_below_the_disk_reserve_all_jobs_wait(stage):
    path = small_disk(stage, 64 * MIB)
    filler = fill(path, 20 * MIB)
    origin, daemon = stage.origin(), stage.crawld(settings={**SETTINGS, 'disk_reserve': '32MiB'})
    harness.wait_until(lambda: 'disk space is low' in daemon.log(), 'the guard has looked')
    urls = [origin.url(f'/p/{n}') for n in range(100)]
    job = daemon.submit({'seeds': urls, 'pace': OWN})
    assert (daemon.show(job)['state'], daemon.show(job)['why']) == ('paused', 'disk_reserve')
    assert daemon.show(job)['counts']['queued'] == 100
    os.unlink(filler)
    judge(daemon, job, urls)


def test_a_submission_that_does_not_fit_leaves_nothing(stage):
    path = small_disk(stage, 16 * MIB)
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    filler = fill(path)
    try:
        daemon.call('job.submit', spec={'name': 'big', 'seeds': [origin.url('/p/1')], 'pace': OWN})
        assert False, 'a job was made on a full disk'
    except harness.Refused as refused:
        assert refused.code == 'storage', refused
    harness.wait_until(lambda: not daemon.call('job.list')['items'], 'the job is taken away')
    os.unlink(filler)
    daemon.submit({'name': 'big', 'seeds': [origin.url('/p/1')], 'pace': OWN})
    judge(daemon, 'big', [origin.url('/p/1')])


def fails_once(stage, call, error, whens, spec=None, **settings):
    """For each of `whens`: the supervisor's when-th call fails while a job is fed and fetched."""
    origin, daemon = stage.origin(), stage.crawld(settings={**SETTINGS, **settings})
    injected = 0
    for n, when in enumerate(whens):
        name = f'job-{n}'
        urls = [origin.url(f'/delay/3/{name}/{i}') for i in range(1000)]
        tracer = inject(stage, daemon.process.pid, call, error, when)
        with harness.Client(daemon.socket_path) as client:
            for i in range(0, len(urls), 100):
                while True:
                    try:
                        if not i:
                            client.call('job.submit', spec={'name': name, 'pace': OWN, **(spec or {})}, more=True)
                        client.call('job.add', job=name, urls=urls[i:i + 100], last=i + 100 == len(urls))
                        break
                    except harness.Refused as refused:
                        if has_ended(refused):
                            break
                        if refused.code not in ('storage', 'wrong_state', 'already_exists'):
                            raise
                        if refused.code == 'already_exists':
                            client.call('job.add', job=name, urls=urls[i:i + 100])
                            break
                        threading.Event().wait(0.1)
        daemon.wait_state(name, 'done')
        injected += detach(stage, tracer)
        judge(daemon, name, urls)
    assert injected, f'no {call} failed'
    assert daemon.stop() == 0, daemon.log()


def test_a_failed_fdatasync_loses_nothing(stage):
    fails_once(stage, 'fdatasync', 'EIO', (2, 5, 9, 14, 20, 31))


def test_a_failed_write_of_rows_or_journal_loses_nothing(stage):
    fails_once(stage, 'pwrite64', 'ENOSPC', (3, 6, 9, 14, 20, 31))


def test_a_failed_fsync_loses_nothing(stage):
    fails_once(stage, 'fsync', 'EIO', (3, 6, 9, 12), {'store': {'rotate_bytes': 20000}})


def test_a_failed_rename_loses_nothing(stage):
    fails_once(stage, 'rename,renameat', 'EIO', (2, 3, 5, 8), {'store': {'rotate_bytes': 20000}})


def test_a_worker_that_may_not_write_more_charges_no_url(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={**SETTINGS, 'workers': 1})
    urls = [origin.url(f'/bytes/9000?{n}') for n in range(40)]
    [worker] = children(daemon.process.pid)
    subprocess.run(['prlimit', '--pid', str(worker), '--fsize=100000'], check=True)
    job = daemon.submit({'seeds': urls, 'pace': {**OWN, 'in_flight': 4}, 'store': {'compress': 'none'}})
    judge(daemon, job, urls)
    assert re.search(r'WARC file not written job=\S+: EFBIG: File too large', daemon.log()), daemon.log()
    assert children(daemon.process.pid) == [worker], 'the worker died of it'
