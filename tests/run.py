#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds both trees and runs every suite; tests/run installs what it needs and calls it.

usage: run [--only unit|layers|suites|daemon]...

Foreign suites are taken from $CRAWLD_SHARED, else ../shared beside the work tree, and skipped without it. The
last line is `N passed, N failed, N skipped`; exit 0 only with 0 failed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get('CRAWLD_SHARED') or os.path.join(os.path.dirname(TOP), 'shared')
BUILDS = {
    'build-test': ['-Db_sanitize=address,undefined', '-Dbuildtype=debugoptimized', '-Dwerror=true'],
    'build': ['-Dbuildtype=release'],
}
SUITES = ['wpt-url', 'llhttp', 'curl-http', 'own-hostile-http', 'json-test-suite', 'decode']
SUMMARY = re.compile(r'^(\d+) passed, (\d+) failed, (\d+) skipped$')
SANITIZER = {'ASAN_OPTIONS': 'abort_on_error=0:detect_leaks=1', 'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1'}


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, what, passed, failed, skipped, seconds):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        print(f'-- {what}: {passed} ok, {failed} failed, {skipped} skipped ({seconds:.0f} s)', flush=True)


def build(folder):
    """0, or 1 with what the compiler said."""
    path, options = os.path.join(TOP, folder), BUILDS[folder]
    is_set_up = os.path.exists(os.path.join(path, 'build.ninja'))
    setup = ['meson', 'configure', path, *options] if is_set_up else ['meson', 'setup', path, TOP, *options]
    for command in (setup, ['ninja', '-C', path]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace')
        if done.returncode:
            print(f'FAIL {" ".join(command)}\n{done.stdout[-8000:]}', flush=True)
            return 1
    return 0


def unit_tests(folder):
    """Meson's tests; one that fails is shown with its output."""
    path = os.path.join(TOP, folder)
    done = subprocess.run(['meson', 'test', '-C', path, '--no-rebuild', '--quiet'], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                          env={**os.environ, **SANITIZER})
    log = os.path.join(path, 'meson-logs', 'testlog.json')
    if not os.path.exists(log):
        print(done.stdout, flush=True)
        return 0, int(done.returncode != 0), int(done.returncode == 0)
    counts = [0, 0, 0]
    with open(log, encoding='utf-8') as file:
        for test in map(json.loads, file):
            kind = 0 if test['result'] in ('OK', 'EXPECTEDFAIL') else 2 if test['result'] == 'SKIP' else 1
            counts[kind] += 1
            if kind == 1:
                print(f"FAIL {test['name']} {test['result']}\n{test.get('stdout', '')[-6000:]}{test.get('stderr', '')[-6000:]}",
                      flush=True)
    if done.returncode and not counts[1]:
        print(done.stdout, flush=True)
        counts[1] = 1
    return tuple(counts)


def lines_of(command, env=None):
    """Runs a runner of ours, shows its lines, and returns its counts; without a summary it failed."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors='replace', env={**os.environ, **SANITIZER, **(env or {})})
    counts = None
    for line in child.stdout:
        match = SUMMARY.match(line)
        if match:
            counts = tuple(map(int, match.groups()))
        else:
            print(line, end='', flush=True)
    code = child.wait()
    if counts is None or (code and not counts[1]):
        print(f'FAIL {" ".join(command)}: exit {code}', flush=True)
        return (counts or (0, 0, 0))[0], 1, (counts or (0, 0, 0))[2]
    return counts


def layers():
    return lines_of([sys.executable, os.path.join(TOP, 'tests', 'layers')])


def daemon(folder):
    return lines_of([sys.executable, os.path.join(TOP, 'tests', 'daemon', 'run')], {'CRAWLD_BUILD': os.path.join(TOP, folder)})


def suite_counts(name, suite):
    """A case fails if its group (or else the whole suite) is below its threshold and not excused."""
    groups = suite['groups']
    failed = skipped = 0
    for case in suite['failures']:
        group = case['group'] if case['group'] in groups else 'all'
        if groups.get(group, {'ok': False})['ok']:
            skipped += 1
        else:
            failed += 1
            if failed <= 5:
                print(f"FAIL {name} {group} {json.dumps(case)[:600]}", flush=True)
    below = [g for g, verdict in groups.items() if not verdict['ok']]
    if below and not failed:
        print(f'FAIL {name}: below its threshold: {", ".join(below)}', flush=True)
        failed = 1
    return suite['passed'], failed, skipped + suite['skipped'] + suite['expected_failures']


def foreign_suites(totals):
    runner = os.path.join(SHARED, 'suites', 'run')
    adapter = os.path.join(TOP, 'build-test', 'tests', 'adapter')
    if not os.path.exists(runner) or not os.path.exists(adapter):
        print(f'skip foreign suites: no {runner if not os.path.exists(runner) else adapter}', flush=True)
        totals.add('suites', 0, 0, len(SUITES), 0)
        return
    for name in SUITES:
        start = time.monotonic()
        done = subprocess.run([sys.executable, '-B', runner, '--json', '--max-fail', '1000000', '--adapter', adapter, name],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env={**os.environ, **SANITIZER})
        try:
            report, _ = json.JSONDecoder().raw_decode(done.stdout)
            counts = suite_counts(name, report['suites'][name])
        except (ValueError, KeyError) as error:
            print(f'FAIL {name}: no report ({error}), exit {done.returncode}', flush=True)
            counts = 0, 1, 0
        totals.add(f'suite {name}', *counts, time.monotonic() - start)


def run_all(parts):
    totals = Totals()

    def timed(what, function, *arguments):
        start = time.monotonic()
        totals.add(what, *function(*arguments), time.monotonic() - start)

    broken = [folder for folder in BUILDS if build(folder)]
    totals.add('build', len(BUILDS) - len(broken), len(broken), 0, time.monotonic() - START)
    if 'layers' in parts:
        timed('layers', layers)
    if 'unit' in parts and 'build-test' not in broken:
        timed('unit tests', unit_tests, 'build-test')
    if 'suites' in parts and 'build-test' not in broken:
        foreign_suites(totals)
    for folder in BUILDS if 'daemon' in parts else ():
        if folder not in broken:
            timed(f'scenarios with {folder}', daemon, folder)
    return totals


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ['unit', 'layers', 'suites', 'daemon']
    parser.add_argument('--only', action='append', choices=every)
    totals = run_all(parser.parse_args().only or every)
    print(f'{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped')
    return 1 if totals.failed else 0


START = time.monotonic()
if __name__ == '__main__':
    sys.exit(main())
