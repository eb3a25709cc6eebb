# SPDX-License-Identifier: MIT
"""What comes of a URL: its one row, its reason, its bytes."""
import hashlib
import base64

import harness

OWN = {'preset': 'own'}
QUICK = {'connect_ms': 2000, 'first_byte_ms': 2000, 'idle_ms': 2000, 'total_ms': 6000}


def by_target(rows, origin):
    return {row['url'].removeprefix(origin.url('')): row for row in rows}


def test_every_body_is_kept_byte_for_byte(stage):
    origin, daemon = stage.origin(), stage.crawld()
    sizes = {'/bytes/0': 0, '/bytes/1': 1, '/bytes/20000': 20000, '/bytes/3000000': 3000000, '/chunked/0': 0, '/chunked/123456': 123456,
             '/close/70000': 70000, '/slow/200000/50000': 50000, **{f'/p/{i}': 1024 for i in range(500)}}
    job = daemon.submit({'seeds': [origin.url(target) for target in sizes], 'pace': OWN})
    daemon.wait_done(job)
    rows = by_target(daemon.check_pages(job), origin)
    assert set(rows) == set(sizes)
    for target, size in sizes.items():
        body, row = harness.origin_body(target, size), rows[target]
        assert row['outcome'] == 'stored' and row['status'] == 200 and row['body_bytes'] == size, row
        assert row['sha1'] == base64.b32encode(hashlib.sha1(body).digest()).decode(), row
        assert daemon.page(job, row).payload() == body, target


def test_every_failure_has_its_reason(stage):
    origin, daemon = stage.origin(), stage.crawld()
    closed = f'http://127.0.0.1:{harness.free_port()}/'
    ends = {origin.url('/drop/50'): 'body_incomplete', origin.url('/rst'): 'conn_reset', origin.url('/empty'): 'empty_reply',
            origin.url('/delay/60000/x'): 'first_byte_timeout', closed: 'connect_refused'}
    job = daemon.submit({'seeds': list(ends), 'pace': OWN, 'timeouts': QUICK, 'retry': {'attempts': 1}})
    daemon.wait_done(job)
    for row in daemon.rows(job):
        assert (row['outcome'], row['reason']) == ('failed', ends[row['url']]), row


def test_any_whole_answer_is_a_result_whatever_its_status(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/status/{status}') for status in (200, 201, 204, 403, 404, 410, 451)], 'pace': OWN})
    daemon.wait_done(job)
    for row in daemon.check_pages(job):
        assert row['outcome'] == 'stored' and row['url'].endswith(str(row['status'])), row


def test_a_server_error_is_tried_again(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url('/flaky/3/a'), origin.url('/flaky/9/b')], 'pace': OWN,
                         'retry': {'attempts': 3, 'backoff_ms': 50, 'factor': 1}})
    daemon.wait_done(job)
    rows = by_target(daemon.rows(job), origin)
    assert (rows['/flaky/3/a']['status'], rows['/flaky/3/a']['attempts']) == (200, 3), rows
    assert (rows['/flaky/9/b']['status'], rows['/flaky/9/b']['attempts']) == (500, 3), rows


def test_redirects_are_followed_inline_to_one_row(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url('/redirect/3'), origin.url('/redirect/99'), origin.url('/redirect-to?url=ftp%3A%2F%2Fa%2F')], 'pace': OWN})
    daemon.wait_done(job)
    rows = by_target(daemon.rows(job), origin)
    good = rows['/redirect/3']
    assert good['outcome'] == 'stored' and good['final_url'] == origin.url('/redirect/0') and len(good['redirects']) == 3, good
    daemon.page(job, good)
    assert rows['/redirect/99']['reason'] == 'redirect_limit', rows['/redirect/99']
    scheme = rows['/redirect-to?url=ftp%3A%2F%2Fa%2F']
    assert (scheme['outcome'], scheme['reason']) == ('excluded', 'scheme'), scheme


def test_keep_rules_decide_what_is_stored(stage):
    origin, daemon = stage.origin(), stage.crawld()
    absent, present = origin.url('/text?%E4%B8%8D%E5%AD%98%E5%9C%A8'), origin.url('/text?%E5%AD%98%E5%9C%A8')
    job = daemon.submit({'seeds': [absent, present, origin.url('/status/404')], 'pace': OWN,
                         'keep': {'status': [200], 'body_lacks': ['不存在']}})
    daemon.wait_done(job)
    outcomes = {row['url']: row['outcome'] for row in daemon.rows(job)}
    assert outcomes == {absent: 'dropped', present: 'stored', origin.url('/status/404'): 'dropped'}, outcomes


def test_no_row_for_loopback_unless_it_is_opened(stage):
    origin, daemon = stage.origin(), stage.crawld(loopback=False, settings={'contact': 'ops@example.org'})
    job = daemon.submit({'seeds': [origin.url('/')], 'pace': OWN})
    daemon.wait_done(job)
    [row] = daemon.rows(job)
    assert (row['outcome'], row['reason']) == ('excluded', 'address_denied'), row
    assert not origin.stop().requests


def test_without_contact_only_opened_loopback_is_asked(stage):
    daemon = stage.crawld()
    job = daemon.submit({'seeds': ['http://192.0.2.1/'], 'pace': OWN})
    daemon.wait_done(job)
    [row] = daemon.rows(job)
    assert row['outcome'] == 'excluded' and row['reason'] in ('contact', 'address_denied'), row


def test_a_closed_kept_connection_costs_no_page(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/stale?{i}') for i in range(200)], 'pace': {**OWN, 'connections_per_host': 2}})
    daemon.wait_done(job)
    assert {row['outcome'] for row in daemon.rows(job)} == {'stored'}
    assert len(origin.stop().requests) == 200
