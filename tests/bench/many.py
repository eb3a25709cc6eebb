# SPDX-License-Identifier: MIT
"""The list of the README's first line: --lines URLs, each answered after --delay seconds, by one worker and by six.

Everything stands in a paused job; the clock runs from `resume` to `done`, so that it also contains the making of the
connections. crawld has the first core, the origin the last. The bound is lines x delay / fetches in flight.
"""
import shutil
import tempfile

import harness
import paused

PORT, ADDRESSES = 8413, 100
CREWS = [(1, 'gzip'), (6, 'none'), (6, 'gzip')]


def start_origin(stage, options, processes):
    command = [harness.program('tests', 'servers', 'origin'), '--listen', f'0.0.0.0:{PORT}', '--delay', str(options.delay),
               '--processes', str(processes), '--body-bytes', '1024']
    origin = harness.Process(stage, f'origin{processes}', command)
    harness.wait_until(lambda: harness.can_connect('127.0.0.1', PORT) or not origin.alive(), 'the origin listens', 10)
    assert origin.alive(), origin.stderr()
    return origin


def write_list(stage, count):
    path = stage.path('many')
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(f'http://127.0.0.{1 + i % ADDRESSES}:{PORT}/p/{i:08d}.html\n' for i in range(count))
    return path


def run(options, stage, daemon, compress, in_flight):
    """(wall s, CPU s) of the daemon from `resume` to `done`."""
    spec = stage.write('spec.json', '{"name":"many","pace":{"preset":"own","in_flight":%d},"store":{"compress":"%s"}}'
                       % (in_flight, compress))
    daemon.ctl('submit', '--paused', '--spec', spec, '-i', write_list(stage, options.lines))
    return paused.run(daemon, 'many', options.lines)


def one(options, stage, tool_core, server_core, workers, compress):
    name = f'many-{workers}-{compress}'
    state_dir = tempfile.mkdtemp(prefix='crawld-bench-', dir=options.dir)
    try:
        origin = start_origin(stage, options, workers)
        daemon = paused.start(stage, name, state_dir, tool_core, server_core, {'workers': workers, 'in_flight': options.in_flight})
        wall_s, cpu_s = run(options, stage, daemon, compress, workers * options.in_flight)
        daemon.stop()
        origin.end()
    finally:
        shutil.rmtree(state_dir)
    bound_s = options.lines * options.delay / (workers * options.in_flight)
    return (workers, compress, f'{wall_s:.1f}', f'{bound_s:.1f}', f'{wall_s / bound_s:.3f}', f'{cpu_s * 1e6 / options.lines:.1f}')


def many(options, stage, tool_core, server_core):
    """The table's head and rows."""
    rows = [one(options, stage, tool_core, server_core, *crew) for crew in CREWS]
    return ['workers', 'compress', 'wall s', 'bound s', 'x bound', 'CPU us/page'], rows
