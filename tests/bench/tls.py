# SPDX-License-Identifier: MIT
"""https: handshakes per CPU second beside mbedTLS alone (tls_client.c), full handshakes per host, 5,000 names at once.

nginx has the last core and closes after each answer, so that every page is a handshake; its log is the ledger: a run
in which it did not see as many full and resumed ones as there must be is an error. crawld's CPU time is that of the
whole daemon, one worker, from `resume` to `done`, with rows and WARC; the client saves nothing.
"""
import collections
import os
import shutil
import statistics
import subprocess
import time

import ca
import harness
import measure
import servers

KEYS = ('ec', 'rsa')
ENDING = '.example.test'
HOSTS, PAGES, NAMES = 100, 100, 5000
ONE_PAGE_EACH = 'keepalive_timeout 0; ssl_session_tickets on; ssl_session_cache off; rewrite ^/p/ /page.html break;'
KEPT = 'keepalive_timeout 60s; ssl_session_tickets on; ssl_session_cache off; rewrite ^/p/ /page.html break;'


class Site:
    """One page for nginx."""

    def __init__(self, stage):
        self.root = stage.path('site')
        os.makedirs(self.root)
        with open(os.path.join(self.root, 'page.html'), 'w', encoding='ascii') as file:
            file.write('x' * 1024)
        self.origin = collections.namedtuple('Origin', 'address')('127.0.0.1:9')


class World:
    """An authority, a name server to which every name is here, and nginx."""

    def __init__(self, stage, server_core):
        self.stage, self.core, self.count = stage, server_core, 0
        self.authority, self.site = ca.Authority(stage.path('ca')), Site(stage)
        self.dns = stage.dns({'*': ['127.0.0.1']}, ttl_s=3600)

    def nginx(self, key, options, **more):
        self.count += 1
        servers.Nginx.requests_per_connection = 1000000
        shutil.rmtree(self.stage.path('nginx'), ignore_errors=True)
        server = servers.Nginx(self.stage, self.site, tls=self.authority.issue('*' + ENDING, key=key), host='h0' + ENDING, options=options, **more)
        for pid in measure.family(server.pid) if self.core is not None else ():
            os.sched_setaffinity(pid, {self.core})
        return server

    def crawld(self, tool_core, **settings):
        self.count += 1
        if tool_core is not None:
            measure.pin(tool_core)
        daemon = self.stage.crawld(name=f'crawld{self.count}', settings={'ca_file': self.authority.path, 'dns_servers': self.dns.address, **settings})
        if tool_core is not None:
            measure.pin(self.core)
        return daemon

    def crawl(self, daemon, urls, **spec):
        """(wall s, CPU s) of the daemon for a list that stood ready."""
        listed, described = self.stage.path('urls'), self.stage.path('spec.json')
        with open(listed, 'w', encoding='ascii') as file:
            file.writelines(url + '\n' for url in urls)
        with open(described, 'w', encoding='ascii') as file:
            file.write(harness.json.dumps({'name': 'bench', 'pace': {'preset': 'own', **spec}}) + '\n')
        daemon.ctl('submit', '--paused', '--spec', described, '-i', listed)
        pids = measure.family(daemon.process.pid)
        cpu_s, start = measure.cpu_seconds(pids), time.monotonic()
        daemon.call('job.resume', job='bench')
        while daemon.show('bench')['state'] != 'done':
            time.sleep(0.05)
        return time.monotonic() - start, measure.cpu_seconds(pids) - cpu_s


def seen(server, count, full):
    """nginx answered count requests and made that many full handshakes."""
    harness.wait_until(lambda: len(server.handshakes()) >= count, 'all handshakes are in its log', 10)
    handshakes = server.handshakes()
    assert len(handshakes) == count and sum(not h.resumed for h in handshakes) == full, collections.Counter(h.resumed for h in handshakes)


def client_run(world, server, tool_core, count, resume):
    command = [harness.program('tests', 'bench', 'tls_client'), '--port', str(server.port), '--ca', world.authority.path, '--count', str(count),
               '--ending', ENDING] + ['--resume'] * resume
    if tool_core is not None:
        command = ['taskset', '-c', str(tool_core)] + command
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    pages, cpu_s = done.stdout.split()
    assert int(pages) == count, done.stdout
    return count / float(cpu_s)


def crawld_run(world, server, tool_core, count, resume):
    daemon = world.crawld(tool_core, workers=1)
    urls = [f'https://h{0 if resume else i}{ENDING}:{server.port}/p/{i}.html' for i in range(count)]
    _, cpu_s = world.crawl(daemon, urls, in_flight=64)
    counts = daemon.show('bench')['counts']
    assert counts['stored'] == count, counts
    daemon.stop()
    shutil.rmtree(daemon.state_dir)
    return count / cpu_s


def races(options, world, tool_core):
    """Rows: key, kind, the client's and crawld's handshakes per CPU second, ratio."""
    for key in KEYS:
        for resume, count in ((False, options.pages // 5), (True, options.pages)):
            rates = {client_run: [], crawld_run: []}
            for number in range(options.rounds):
                for run in (client_run, crawld_run) if number % 2 == 0 else (crawld_run, client_run):
                    server = world.nginx(key, ONE_PAGE_EACH)
                    rates[run].append(run(world, server, tool_core, count, resume))
                    seen(server, count, 1 if resume else count)
                    server.end()
            ratios = [ours / bare for bare, ours in zip(rates[client_run], rates[crawld_run])]
            yield key, 'resumed' if resume else 'full', count, rates[client_run], rates[crawld_run], ratios


def hosts(world, **pace):
    """A list of 100 hosts with 100 pages each: (connections, full handshakes of each host)."""
    server, daemon = world.nginx('ec', KEPT), world.crawld(None)
    world.crawl(daemon, [f'https://h{n % HOSTS}{ENDING}:{server.port}/p/{n}.html' for n in range(HOSTS * PAGES)], **pace)
    assert daemon.show('bench')['counts']['stored'] == HOSTS * PAGES, daemon.show('bench')
    daemon.stop()
    handshakes = server.handshakes()
    server.end()
    full = collections.Counter(h.name for h in handshakes if not h.resumed)
    assert len(full) == HOSTS
    return len(handshakes), list(full.values())


def names_at_once(world, tool_core):
    """5,000 names, all under way together: what came of them, wall and CPU s, and how long the worker's loop turned."""
    server, daemon = world.nginx('ec', KEPT), world.crawld(tool_core, workers=1)
    wall_s, cpu_s = world.crawl(daemon, [f'https://h{n}{ENDING}:{server.port}/p/{n}.html' for n in range(NAMES)])
    rows = collections.Counter(row.get('reason') or row['outcome'] for row in daemon.rows('bench'))
    counted = daemon.call('stats')['counters']
    daemon.stop()
    server.end()
    return rows, wall_s, cpu_s, 1 - counted['loop_slow'] / counted['loop_turns'], counted['loop_max_us'] / 1000


def median_range(values, digits):
    spread = f' ({min(values):.{digits}f}..{max(values):.{digits}f})' if len(values) > 1 else ''
    return f'{statistics.median(values):.{digits}f}{spread}'


def tls(options, stage, table, tool_core, server_core):
    world = World(stage, server_core)
    texts = [table(['key', 'handshakes', 'of them', 'mbedTLS alone, per CPU s', 'crawld, per CPU s', 'ratio'],
                   [(key, count, kind, median_range(bare, 0), median_range(ours, 0), median_range(ratios, 2))
                    for key, kind, count, bare, ours, ratios in races(options, world, tool_core)])]
    rows = []
    for what, pace in (('own', {}), ('own, 4 connections per host', {'connections_per_host': 4}), ('own, 1 connection per host', {'connections_per_host': 1})):
        connections, full = hosts(world, **pace)
        rows.append((what, connections, sum(full), f'{min(full)}..{max(full)}'))
    texts.append(table([f'{HOSTS} hosts x {PAGES} pages', 'connections', 'full handshakes', 'of a host'], rows))
    came, wall_s, cpu_s, quick, worst_ms = names_at_once(world, tool_core)
    texts.append(table([f'{NAMES} names at once', 'wall s', 'CPU s', 'turns within 20 ms', 'longest turn ms'],
                       [(', '.join(f'{n} {what}' for what, n in came.items()), f'{wall_s:.1f}', f'{cpu_s:.1f}', f'{quick:.2%}', f'{worst_ms:.1f}')]))
    return '\n\n'.join(texts)
