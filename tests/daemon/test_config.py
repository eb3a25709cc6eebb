# SPDX-License-Identifier: MIT
"""The configuration as the operator meets it: exit codes, places and hints."""
import os
import re
import subprocess

import harness


def crawld(*arguments):
    ran = subprocess.run([harness.program('daemon', 'crawld'), *arguments], capture_output=True, text=True,
                         timeout=harness.PATIENCE_S)
    assert not any(word in ran.stderr for word in harness.SANITIZER_WORDS), ran.stderr
    return ran


def test_a_bad_configuration_ends_with_78_and_says_where(stage):
    path = stage.write('bad.conf', 'contact = "a@b"\nwrokers = 4\n')
    for flag in ('-t', '-T', '--check-config'):
        ran = crawld('-c', path, flag)
        assert ran.returncode == 78, ran
        assert ran.stderr == f"{path}:2: no such option 'wrokers', did you mean workers?\n", ran.stderr
        assert ran.stdout == '', ran.stdout


def test_a_bad_configuration_does_not_start_a_daemon(stage):
    state = stage.path('state')
    ran = crawld('-c', '/dev/null', '--state-dir', state, '--set', 'proxy=http://a/')
    assert ran.returncode == 78, ran
    assert 'proxy: not built yet' in ran.stderr, ran.stderr
    assert not os.path.exists(state)


def test_a_wrong_command_line_ends_with_2(stage):
    for arguments, hint in ((['--sokcet', 'x'], 'did you mean --socket?'), (['start'], 'no arguments'),
                            (['--set', 'x'], 'KEY=VALUE'), (['-c'], 'needs a value')):
        ran = crawld(*arguments)
        assert ran.returncode == 2 and hint in ran.stderr, ran


def test_the_dump_is_a_configuration_and_the_example_file_its_defaults(stage):
    first = crawld('-c', '/dev/null', '--set', 'commit_interval=20ms', '--set', 'admins=root,@wheel', '-T')
    assert first.returncode == 0, first
    assert 'commit_interval = 20ms\n' in first.stdout and 'admins = {"root", "@wheel"}\n' in first.stdout
    again = crawld('-c', stage.write('dumped.conf', first.stdout), '-T')
    assert again.stdout == first.stdout, again
    defaults = crawld('-c', '/dev/null', '-T').stdout
    with open(os.path.join(harness.TOP, 'etc', 'crawld.conf')) as example:
        assert re.sub('^(?=[a-z])', '#', defaults, flags=re.M) == example.read()
