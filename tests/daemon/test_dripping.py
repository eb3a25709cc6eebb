# SPDX-License-Identifier: MIT
"""Thousands of servers that give a byte a second."""
import harness

LIMIT_S = 300
DRIPPING_COUNT, HEALTHY_COUNT, PAGES_PER_HOST = 5000, 1000, 5


def address(net, number):
    return f'127.{net}.{number // 250}.{number % 250 + 1}'


def test_healthy_servers_are_done_while_dripping_ones_still_drip(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    drips = [origin.url(f'/slow/1/1000000?{n}', address(1, n)) for n in range(DRIPPING_COUNT)]
    pages = [origin.url(f'/p{n}', address(2, n % HEALTHY_COUNT)) for n in range(HEALTHY_COUNT * PAGES_PER_HOST)]
    unlimited = {'total_ms': 0, 'idle_ms': 0, 'first_byte_ms': 0, 'min_rate': 0}
    dripping = daemon.submit({'seeds': drips, 'pace': {'preset': 'own'}, 'timeouts': unlimited})
    harness.wait_until(lambda: daemon.call('stats')['in_state'].get('body') == DRIPPING_COUNT, 'all of them drip')
    healthy = daemon.submit({'seeds': pages, 'pace': {'preset': 'own'}})
    daemon.wait_done(healthy)
    assert {row['outcome'] for row in daemon.rows(healthy)} == {'stored'}
    assert daemon.show(dripping)['counts']['in_flight'] == DRIPPING_COUNT
    daemon.call('job.cancel', job=dripping)


def test_dripping_servers_end_by_the_minimum_rate(stage):
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld()
    drips = [origin.url(f'/slow/1/1000000?{n}', address(1, n)) for n in range(500)]
    job = daemon.submit({'seeds': drips, 'pace': {'preset': 'own'}, 'retry': {'attempts': 1},
                         'timeouts': {'idle_ms': 2000, 'min_rate': 1000, 'min_rate_ms': 3000}})
    daemon.wait_done(job)
    assert {row.get('reason') for row in daemon.rows(job)} == {'too_slow'}
