# SPDX-License-Identifier: MIT
"""Plays the scripts of the hostile suite ($CRAWLD_SHARED or ../shared) to a daemon; each end must be one the case allows."""
import json
import os

import harness
from scripted import Unsupported

LIMIT_S = 300
SHARED = os.environ.get('CRAWLD_SHARED') or os.path.join(os.path.dirname(harness.TOP), 'shared')
# Subjects that are not built yet, and cases that need names or a second host.
NOT_BUILT = {'content-coding', 'cookies'}
NEED_NAMES = {'R19', 'R22', 'R25', 'R28'}
NEED_CLOSED_LOOPBACK = {'R13'}


def verdict(row):
    """The words the suite uses for an end."""
    if row['outcome'] in ('failed', 'excluded'):
        return {row['reason']}
    return {row['outcome']} | ({'truncated'} if row.get('truncated') == 'length' else set())


def test_hostile_answers_end_as_the_suite_allows(stage):
    path = os.path.join(SHARED, 'suites', 'own-hostile-http', 'cases.json')
    if not os.path.exists(path):
        raise harness.Skip(f'no {path}')
    with open(path, encoding='utf-8') as file:
        cases = [case for case in json.load(file) if case['cat'] not in NOT_BUILT and case['id'] not in NEED_NAMES | NEED_CLOSED_LOOPBACK]
    daemon, servers = stage.crawld(settings={'contact': 'ops@example.org'}), {}
    for case in cases:
        try:
            servers[case['id']] = stage.scripted(case['steps'])
        except Unsupported as what:
            print(case['id'], 'not played:', what)
    job = daemon.submit({'seeds': [servers[c['id']].url(f"/{c['id']}") for c in cases if c['id'] in servers],
                         'pace': {'preset': 'own'}, 'retry': {'attempts': 1}, 'max_body_bytes': 4 << 20,
                         'timeouts': {'connect_ms': 3000, 'first_byte_ms': 3000, 'idle_ms': 3000, 'total_ms': 8000}})
    daemon.wait_done(job)
    rows = {row['url'].rpartition('/')[2]: row for row in daemon.check_pages(job)}
    wrong = []
    for case in cases:
        if case['id'] in servers:
            row, allowed = rows[case['id']], set(case['expect']['any_of'])
            short = 'body_len' in case['expect'] and row['outcome'] == 'stored' and row['body_bytes'] != case['expect']['body_len']
            if not verdict(row) & allowed or short:
                wrong.append(f"{case['id']} {case['name']}: {sorted(verdict(row))} not in {sorted(allowed)}, {row.get('body_bytes')} bytes")
    assert not wrong, '; '.join(wrong)
