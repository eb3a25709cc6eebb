# SPDX-License-Identifier: MIT
"""Kill -9 at random moments: nothing acknowledged is lost, nothing is done twice in the rows."""
import os
import random
import signal
import time

import harness

SEED = int(os.environ.get('CRAWLD_TEST_SEED', '1'))


def accepted_and_rows(daemon, job, urls):
    daemon.wait_done(job)
    rows = daemon.check_pages(job)
    assert sorted(row['url'] for row in rows) == sorted(urls)
    assert {row['outcome'] for row in rows} == {'stored'}, [row for row in rows if row['outcome'] != 'stored'][:3]
    stored = {(row['warc']['file'], row['warc']['offset']) for row in rows}
    responses = [r for r in daemon.warc_records(job) if r.type in ('response', 'revisit')]
    assert len(stored) == len(rows) == len(responses), (len(stored), len(rows), len(responses))


def test_a_killed_daemon_goes_on_where_it_was(stage):
    print('seed', SEED)
    random.seed(SEED)
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2, 'commit_interval': '50ms'})
    urls = [origin.url(f'/delay/3/{n}') for n in range(3000)]
    job = daemon.submit({'seeds': urls, 'pace': {'preset': 'own', 'in_flight': 40}})
    for _ in range(5):
        time.sleep(random.uniform(0.05, 0.4))
        daemon.kill()
        daemon.start()
    accepted_and_rows(daemon, job, urls)


def test_a_killed_worker_charges_no_url(stage):
    print('seed', SEED)
    random.seed(SEED)
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 2})
    urls = [origin.url(f'/delay/3/{n}') for n in range(3000)]
    job = daemon.submit({'seeds': urls, 'pace': {'preset': 'own', 'in_flight': 40}})
    for _ in range(5):
        time.sleep(random.uniform(0.05, 0.3))
        workers = [w for w in daemon.call('worker.list')['items'] if w.get('pid')]
        try:
            os.kill(random.choice(workers)['pid'], signal.SIGKILL)
        except ProcessLookupError:
            pass
    accepted_and_rows(daemon, job, urls)


def test_sigterm_drains_and_the_next_start_goes_on(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = [origin.url(f'/delay/20/{n}') for n in range(800)]
    job = daemon.submit({'seeds': urls, 'pace': {'preset': 'own', 'in_flight': 20}})
    harness.wait_until(lambda: daemon.show(job)['counts']['stored'] > 20, 'the first pages')
    assert daemon.stop() == 0, daemon.log()
    daemon.start()
    accepted_and_rows(daemon, job, urls)
    assert len(origin.stop().requests) == len(urls), 'a drained daemon fetched something twice'


def test_a_second_daemon_on_the_state_is_refused(stage):
    daemon = stage.crawld()
    second = harness.Crawld(stage, name='second')
    second.state_dir = daemon.state_dir
    second.start(ready=False)
    assert second.process.wait() == 75 and str(daemon.process.pid) in second.log(), second.log()
