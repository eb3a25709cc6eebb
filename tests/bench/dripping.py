# SPDX-License-Identifier: MIT
"""Pages per second of 1,000 healthy hosts, alone and beside 5,000 that give a byte a second.

Alone and beside alternate, each with a daemon of its own and one worker. The healthy pages stand in a paused job; the
clock runs from `resume` to `done`, after all of the others drip. They drip from a process of their own.
"""
import shutil
import tempfile

import harness
import paused

HEALTHY_PORT, DRIPPING_PORT = 8414, 8415
HEALTHY, DRIPPING = 1000, 5000
PAGES_SCALE = 4     # of --pages


def address(net, number):
    return f'127.{net}.{number // 250}.{number % 250 + 1}'


def start_dripping(stage, daemon):
    urls = ''.join(f'http://{address(1, n)}:{DRIPPING_PORT}/slow/1/1000000\n' for n in range(DRIPPING))
    spec = stage.write('dripping.json', '{"name":"dripping","pace":{"preset":"own"},'
                       '"timeouts":{"total_ms":0,"idle_ms":0,"min_rate":0}}')
    daemon.ctl('submit', '--spec', spec, '-i', stage.write('dripping', urls))
    harness.wait_until(lambda: daemon.call('stats')['in_state'].get('body') == DRIPPING, 'all of them drip')


def run(stage, daemon, count):
    """(wall s, CPU s) of the healthy job."""
    urls = ''.join(f'http://{address(2, n % HEALTHY)}:{HEALTHY_PORT}/p/{n:08d}.html\n' for n in range(count))
    spec = stage.write('healthy.json', '{"name":"healthy","pace":{"preset":"own","in_flight":%d}}' % HEALTHY)
    daemon.ctl('submit', '--paused', '--spec', spec, '-i', stage.write('healthy', urls))
    return paused.run(daemon, 'healthy', count)


def one(options, stage, tool_core, server_core, beside):
    state_dir = tempfile.mkdtemp(prefix='crawld-bench-', dir=options.dir)
    try:
        daemon = paused.start(stage, 'beside' if beside else 'alone', state_dir, tool_core, server_core, {'workers': 1})
        if beside:
            start_dripping(stage, daemon)
        figures = run(stage, daemon, options.pages * PAGES_SCALE)
        daemon.kill()
    finally:
        shutil.rmtree(state_dir)
    return figures


def dripping(options, stage, tool_core, server_core):
    """[(pages/s, CPU us/page) alone], the same beside, [beside/alone of each round's pages/s]."""
    count, found = options.pages * PAGES_SCALE, {False: [], True: []}
    for port in (HEALTHY_PORT, DRIPPING_PORT):
        stage.origin('--body-bytes', 1024, name=f'origin{port}', listen=f'0.0.0.0:{port}')
    for number in range(options.rounds):
        for beside in ((False, True) if number % 2 == 0 else (True, False)):
            wall_s, cpu_s = one(options, stage, tool_core, server_core, beside)
            found[beside].append((count / wall_s, cpu_s * 1e6 / count))
    return found[False], found[True], [b[0] / a[0] for a, b in zip(found[False], found[True])]
