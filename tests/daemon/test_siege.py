# SPDX-License-Identifier: MIT
"""Kill -9 of the daemon and of its workers at random moments, whatever is going on: nothing acknowledged is lost, each
URL has one row, each row of a stored page points at a whole record. See siege.py."""
from urllib.parse import quote

import harness
from siege import KILLS, Feeder, Siege, Watcher, children, judge, kill

LIMIT_S = 240
OWN = {'preset': 'own', 'in_flight': 40}
SETTINGS = {'workers': 2, 'commit_interval': '50ms'}


def pages(origin, count, path='/delay/5/{}'):
    return [origin.url(path.format(n)) for n in range(count)]


def stream_under_fire(stage, kills=KILLS, pages_per_kill=300, make_urls=pages, spec=None, **settings):
    origin, daemon = stage.origin(), stage.crawld(settings={**SETTINGS, **settings})
    urls = make_urls(origin, pages_per_kill * kills)
    feeder = Feeder(daemon, {'name': 'fed', 'pace': OWN, **(spec or {})}, urls)
    with feeder, Watcher(daemon):
        Siege(daemon, kills).run()
        feeder.wait()
        rows, records = judge(daemon, 'fed', urls)
    return daemon, rows, records


def test_a_job_streamed_under_fire_ends_with_one_row_for_each_url(stage):
    _, rows, records = stream_under_fire(stage)
    assert len(records) == len(rows), 'a page lies in the WARC files twice'


def test_a_job_streamed_under_fire_with_durability_each(stage):
    stream_under_fire(stage, max(KILLS // 4, 1), durability='each')


def test_a_job_streamed_under_fire_with_durability_os(stage):
    stream_under_fire(stage, max(KILLS // 4, 1), durability='os')


def test_redirects_and_attempts_under_fire(stage):
    def urls(origin, count):
        return [origin.url(f'/redirect-to?url={quote(f"/redirect-to?url=/delay/3/{n}", safe="")}') if n % 2
                else origin.url(f'/flaky/2/{n}') for n in range(count)]
    stream_under_fire(stage, max(KILLS // 2, 1), 200, urls,
                      {'retry': {'attempts': 6, 'backoff_ms': 20, 'factor': 1}})


def test_small_warc_files_under_fire(stage):
    stream_under_fire(stage, max(KILLS // 4, 1), spec={'store': {'rotate_bytes': 20000}})


def test_uncompressed_warc_files_under_fire(stage):
    stream_under_fire(stage, max(KILLS // 4, 1), spec={'store': {'compress': 'none'}})


def test_a_generated_job_under_fire(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    words, count = [f'w{n}' for n in range(20)], 15 * KILLS
    job = daemon.submit({'name': 'made', 'template': origin.url('/delay/5/{w}/{n}'), 'pace': OWN,
                         'words': {'w': words, 'n': {'from': 1, 'to': count}}})
    with Watcher(daemon):
        Siege(daemon).run()
        judge(daemon, job, [origin.url(f'/delay/5/{w}/{n}') for w in words for n in range(1, count + 1)])
    daemon.kill()
    daemon.start()
    assert daemon.show(job)['counts']['stored'] == len(words) * count


def test_a_worker_killed_again_and_again_charges_no_url(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = pages(origin, 150 * KILLS, '/delay/3/{}')
    with Feeder(daemon, {'name': 'fed', 'pace': OWN}, urls) as feeder, Watcher(daemon):
        siege = Siege(daemon)
        for _ in range(KILLS):
            siege.shoot_for(0.1)
            for pid in children(daemon.process.pid)[:1]:
                kill(pid)
        feeder.wait()
        judge(daemon, 'fed', urls)


def test_a_cancel_survives_a_crash(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    siege = Siege(daemon, 5)
    for n in range(5):
        name = f'doomed-{n}'
        urls = pages(origin, 2000, '/delay/5/{}')
        with Feeder(daemon, {'name': name, 'pace': OWN}, urls) as feeder:
            feeder.wait()
        siege.shoot_for(siege.random.uniform(0, 0.2))
        daemon.call('job.cancel', job=name)
        siege.shoot_daemon()
        shown = daemon.wait_state(name, 'cancelled')
        rows = daemon.check_pages(name)
        assert sorted(row['url'] for row in rows) == sorted(urls), len(rows)
        assert {row['outcome'] for row in rows} <= {'stored', 'excluded'}, shown
        assert all(row['reason'] == 'cancelled' for row in rows if row['outcome'] == 'excluded'), rows[:2]


def test_a_paused_job_stays_paused_and_recovery_twice_is_recovery_once(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = pages(origin, 3000)
    with Feeder(daemon, {'name': 'fed', 'pace': OWN}, urls) as feeder:
        feeder.wait()
    harness.wait_until(lambda: daemon.show('fed')['counts']['stored'] > 100, 'the first pages')
    daemon.call('job.pause', job='fed')
    seen = []
    for _ in range(3):
        daemon.kill()
        daemon.start()
        shown = daemon.show('fed')
        assert (shown['state'], shown['why']) == ('paused', 'user'), shown
        with open(daemon.job_dir('fed') + '/frontier.log', 'rb') as file:
            journal = file.read().rstrip(b'\0')
        files = [(path, open(path, 'rb').read()) for path in daemon.warc_paths('fed')]
        seen.append((shown['counts'], shown['committed_bytes'], journal, daemon.rows('fed'), files))
    assert seen[0] == seen[1] == seen[2]
    daemon.call('job.resume', job='fed')
    judge(daemon, 'fed', urls)


def test_input_cut_by_a_crash_waits_for_the_rest(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = pages(origin, 500)
    daemon.submit({'name': 'cut', 'pace': OWN}, more=True)
    daemon.call('job.add', job='cut', urls=urls[:300])
    daemon.kill()
    daemon.start()
    shown = daemon.show('cut')
    assert (shown['state'], shown['why'], shown['counts']['accepted']) == ('paused', 'input_cut', 300), shown
    daemon.call('job.add', job='cut', urls=urls[200:], last=True)
    judge(daemon, 'cut', urls)


def test_a_job_kept_open_goes_on_behind_a_crash_and_ends_when_finished(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    urls = pages(origin, 400)
    daemon.submit({'name': 'open', 'pace': OWN, 'seeds': urls[:100], 'keep_open': True})
    for n in (100, 200, 300):
        daemon.kill()
        daemon.start()
        assert daemon.show('open')['state'] == 'running'
        daemon.call('job.add', job='open', urls=urls[n:n + 100])
    harness.wait_until(lambda: daemon.show('open')['idle'], 'idle')
    assert daemon.show('open')['state'] == 'running'
    daemon.call('job.finish', job='open')
    daemon.kill()
    daemon.start()
    judge(daemon, 'open', urls)


def test_a_deleted_job_is_gone_behind_a_crash(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    for n in range(3):
        job = daemon.submit({'name': 'short', 'seeds': pages(origin, 50), 'pace': OWN})
        daemon.wait_done(job)
        daemon.call('job.delete', job=job)
        daemon.kill()
        daemon.start()
        assert daemon.call('job.list')['items'] == []


def test_submits_under_fire_leave_a_whole_job_or_none(stage):
    origin, daemon = stage.origin(), stage.crawld(settings=SETTINGS)
    siege, urls = Siege(daemon, KILLS, workers=False, longest_s=0.05), pages(origin, 20)
    known = set()
    while siege.left:
        client = daemon.client()
        name = f'j{siege.left}'
        request = client.send('job.submit', spec={'name': name, 'seeds': urls, 'pace': OWN})
        siege.shoot_daemon()
        try:
            known |= {name} if client.receive(request)['ok'] else set()
        except (OSError, EOFError):
            pass
        there = {job['name'] for job in daemon.call('job.list')['items']}
        assert known <= there, known - there
        if name not in there:
            daemon.submit({'name': name, 'seeds': urls, 'pace': OWN})
            known.add(name)
    for name in known:
        judge(daemon, name, urls)
