# SPDX-License-Identifier: MIT
"""The control socket, as scripts see it."""
import json

import harness


def refused(client, op, **args):
    try:
        client.call(op, **args)
    except harness.Refused as refusal:
        return refusal
    raise AssertionError(f'{op} {args} was not refused')


def test_speaks_first_and_answers_pipelined_requests(stage):
    client = stage.crawld().client()
    assert client.hello['server'] == 'crawld' and client.hello['proto'] == 1 and client.hello['max_line'] == 65536
    answers = client.call_many('ping', [{} for _ in range(500)])
    assert all(answer['ok'] for answer in answers)


def test_bad_lines_are_refused_and_close(stage):
    daemon = stage.crawld()
    for line in (b'{"id":1,"op":"ping"', b'[]garbage', b'{"id":1,"id":2,"op":"ping"}', b'\xff{}', b'"\\u0000"', b'[' * 40, b'x' * 70000):
        client = daemon.client()
        client.send_bytes(line + b'\n')
        assert client.read_line()['error']['code'] == 'bad_frame', line[:40]
        try:
            client.read_line()
            raise AssertionError(f'still open after {line[:40]}')
        except (EOFError, ConnectionResetError):
            pass


def test_bad_requests_keep_the_connection(stage):
    client = stage.crawld().client()
    client.send_bytes(b'{"id":"a"}\r\n\r\n[]\n{"id":"b","op":"no.such"}\n')
    codes = [client.read_line()['error']['code'] for _ in range(3)]
    assert codes == ['bad_request', 'bad_request', 'unknown_op'], codes
    client.call('ping')


def test_errors_name_what_is_wrong(stage):
    client = stage.crawld().client()
    assert refused(client, 'job.show', job='none').code == 'not_found'
    for spec in ({'seeds': ['http://a.test/'], 'sedes': 1}, {'seeds': ['http://a.test/'], 'pace': {'delay_ms': 'x'}},
                 {'seeds': ['http://a.test/'], 'request': {'headers': {'Host': 'b'}}}, {'seeds': ['http://a.test/'], 'name': 'UPPER'}):
        refusal = refused(client, 'job.submit', spec=spec)
        assert refusal.code in ('bad_argument', 'unsupported') and refusal.error.get('field'), (spec, refusal.error)
    client.call('job.submit', spec={'name': 'once', 'seeds': ['http://127.0.0.1:9/'], 'keep_open': True, 'pace': {'preset': 'own'}})
    assert refused(client, 'job.submit', spec={'name': 'once', 'seeds': ['http://127.0.0.1:9/'],
                                                'pace': {'preset': 'own'}}).code == 'already_exists'


def test_lists_are_added_in_parts_and_end_with_last(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'name': 'parts', 'pace': {'preset': 'own'}}, more=True)
    urls = [origin.url(f'/{n}') for n in range(2000)]
    parts = [{'job': job, 'urls': urls[i:i + 100]} for i in range(0, len(urls), 100)]
    assert all(a['ok'] for a in daemon.control.call_many('job.add', parts))
    daemon.call('job.add', job=job, urls=[json.dumps('not a url')], last=True)
    counts = daemon.wait_done(job)['counts']
    assert counts['stored'] == 2000 and counts['excluded'] == 1, counts
    [bad] = [row for row in daemon.rows(job) if row['outcome'] == 'excluded']
    assert bad['reason'] == 'bad_url', bad


def test_states_follow_the_verbs(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/delay/30/{n}') for n in range(400)], 'pace': {'preset': 'own', 'in_flight': 4}})
    daemon.call('job.pause', job=job)
    daemon.wait_state(job, 'paused')
    harness.wait_until(lambda: daemon.show(job)['counts']['in_flight'] == 0, 'what was fetched is committed')
    assert daemon.show(job)['counts']['queued'] > 0
    seen = len(origin.ledger().requests)
    daemon.status()
    assert len(origin.ledger().requests) == seen, 'a paused job asks'
    daemon.call('job.resume', job=job)
    daemon.wait_state(job, 'running')
    daemon.call('job.cancel', job=job)
    counts = daemon.wait_state(job, 'cancelled')['counts']
    assert counts['queued'] == counts['in_flight'] == 0 and counts['excluded'] > 0, counts
    assert {row['reason'] for row in daemon.rows(job) if row['outcome'] == 'excluded'} == {'cancelled'}
    daemon.call('job.delete', job=job)
    assert refused(daemon.control, 'job.show', job=job).code == 'not_found'
