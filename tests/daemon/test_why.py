# SPDX-License-Identifier: MIT
"""why: one answer for each place a URL can be in."""
import harness

OWN = {'preset': 'own'}


def why(daemon, **args):
    return daemon.call('url.why', **args)


def test_why_of_what_was_never_given(stage):
    daemon = stage.crawld()
    assert why(daemon, url='http://127.0.0.1:1/a')['state'] == 'unknown'
    assert why(daemon, host='nowhere.test')['state'] == 'unknown'
    bad = why(daemon, url='http://[')
    assert (bad['state'], bad['rule']) == ('excluded', 'bad_url') and bad['why'], bad
    assert why(daemon, url='ftp://a/b')['rule'] == 'scheme'
    for args in ({}, {'url': 'http://a/', 'host': 'a'}):
        try:
            why(daemon, **args)
            raise AssertionError(args)
        except harness.Refused as refused:
            assert refused.code == 'bad_argument'


def test_why_of_what_has_its_row(stage):
    origin, daemon = stage.origin(), stage.crawld()
    port = harness.free_port()
    job = daemon.submit({'name': 'first', 'seeds': [origin.url('/a'), origin.url('/b'), f'http://127.0.0.1:{port}/gone', 'http://10.0.0.1/'],
                         'pace': OWN, 'keep': {'body_lacks': ['/b']}, 'retry': {'attempts': 1}})
    daemon.wait_done(job)
    stored = why(daemon, url=origin.url('/x/../a'))
    assert (stored['state'], stored['job'], stored['row']['status']) == ('stored', 'first', 200), stored
    assert (why(daemon, url=origin.url('/b'))['state'], why(daemon, url=origin.url('/b'))['rule']) == ('dropped', 'keep.body_lacks')
    failed = why(daemon, url=f'http://127.0.0.1:{port}/gone', job='first')
    assert (failed['state'], failed['rule'], failed['why']) == ('failed', 'connect_refused', 'nothing listens on that port'), failed
    assert why(daemon, url='http://10.0.0.1/')['rule'] in ('address_denied', 'contact')
    text = daemon.ctl('why', origin.url('/a')).stdout
    assert 'stored' in text and 'first' in text, text
    host = why(daemon, host='127.0.0.1')
    assert (host['state'], host['rule']) == ('idle', '') and 'no URL' in host['why'], host


def test_why_of_what_waits_for_its_host(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(9)], 'pace': {'delay_ms': 600000, 'robots': 'ignore'}})
    harness.wait_until(lambda: daemon.show(job)['counts']['queued'] == 9, 'all are queued')
    queued = why(daemon, url=origin.url('/5'))
    assert (queued['state'], queued['rule'], queued['ahead']) == ('queued', 'delay', 5) and queued['until'], queued
    daemon.call('job.pause', job=job)
    paused = why(daemon, url=origin.url('/5'))
    assert paused['rule'] == 'job' and 'user' in paused['why'], paused
    host = why(daemon, host='127.0.0.1')
    assert host['state'] == 'paused' and 'jobs' in host['why'], host
    daemon.call('job.resume', job=job)
    daemon.call('host.block', host='127.0.0.1')
    blocked = why(daemon, url=origin.url('/5'))
    assert (blocked['rule'], blocked['block']['by'], blocked['until']) == ('block', 'operator', None) and blocked['since'], blocked
    host = why(daemon, host='127.0.0.1')
    assert (host['state'], host['rule'], host['queued']) == ('blocked', 'block', 9), host
    text = daemon.ctl('why', '127.0.0.1').stdout
    assert 'blocked' in text and 'operator' in text, text


def test_why_of_what_is_under_way_or_tried_again(stage):
    origin, daemon, port = stage.origin(), stage.crawld(), harness.free_port()
    daemon.submit({'name': 'slow', 'seeds': [origin.url('/delay/60000/a')], 'pace': OWN})
    daemon.submit({'name': 'again', 'seeds': [f'http://127.0.0.1:{port}/b'], 'pace': OWN, 'retry': {'attempts': 3, 'backoff_ms': 3600000}})
    harness.wait_until(lambda: len(origin.ledger().connections) or daemon.show('slow')['counts']['in_flight'], 'it is asked')
    flying = why(daemon, url=origin.url('/delay/60000/a'))
    assert flying['state'] == 'in_flight' and flying['worker'] >= 0 and flying['since'], flying
    harness.wait_until(lambda: daemon.show('again')['counts']['queued'], 'it waits for its next attempt')
    again = harness.wait_until(lambda: (lambda answer: answer if answer['rule'] == 'retry' else None)(why(daemon, url=f'http://127.0.0.1:{port}/b')), 'why says retry')
    assert again['state'] == 'queued' and again['until'], again


def test_why_prefers_the_job_that_has_it_open(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.submit({'name': 'waits', 'seeds': [origin.url('/a')], 'pace': OWN}, paused=True)
    done = daemon.submit({'name': 'ends', 'seeds': [origin.url('/a')], 'pace': OWN})
    daemon.wait_done(done)
    assert why(daemon, url=origin.url('/a'))['job'] == 'waits'
    assert why(daemon, url=origin.url('/a'), job='ends')['state'] == 'stored'
    assert daemon.ctl('why', origin.url('/a'), '--job', 'ends').stdout.count('stored') == 1
