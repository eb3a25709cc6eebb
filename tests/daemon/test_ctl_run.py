# SPDX-License-Identifier: MIT
"""crawlctl run with a scripted crawld next to it: how it starts, watches, ends and resumes its private daemon."""
import json
import os
import shutil
import signal
import subprocess

import harness
from ctl_stub import job


class Tree:
    """A build tree of its own: crawlctl and, beside it, the scripted crawld."""

    def __init__(self, stage):
        os.mkdir(stage.path('ctl'))
        os.mkdir(stage.path('daemon'))
        self.program = stage.path('ctl/crawlctl')
        shutil.copy(harness.program('ctl', 'crawlctl'), self.program)
        shutil.copy(os.path.join(harness.HERE, 'fake_crawld'), stage.path('daemon/crawld'))
        self.out = stage.path('out')

    def start(self, *arguments, out=None, **script):
        env = {**os.environ, 'FAKE_CRAWLD': json.dumps(script), 'FAKE_CRAWLD_TESTS': harness.HERE}
        return subprocess.Popen([self.program, 'run', '--out', out or self.out, *arguments], env=env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                start_new_session=True)

    def run(self, *arguments, code=0, **options):
        child = self.start(*arguments, **options)
        child.out, child.err = child.communicate(timeout=harness.PATIENCE_S)
        assert child.returncode == code, (child.returncode, child.out, child.err)
        return child

    def events(self, out=None):
        path = os.path.join(out or self.out, 'events.jsonl')
        with open(path, encoding='utf-8') as file:
            return [json.loads(line) for line in file]


def is_gone(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            return file.read().rpartition(') ')[2][0] == 'Z'
    except FileNotFoundError:
        return True


def test_a_crawl_ends_with_a_summary_and_without_a_daemon(stage):
    tree = Tree(stage)
    done = tree.run('--contact', 'me@x', '--allow-cidr', '127.0.0.0/8', '--allow-cidr', '::1/128', '--workers', '2',
                    '--set', 'durability=os', 'http://a/', 'http://b/')
    assert 'run: done, 2 URLs in' in done.out and f'{tree.out}/jobs/run/results.jsonl' in done.out, done.out
    begun, submitted, ended = tree.events()
    assert begun['settings'] == ['contact=me@x', 'allow_cidr=127.0.0.0/8,::1/128', 'workers=2',
                                 'durability=os'], begun
    assert begun['socket'] == tree.out + '/control.sock' and begun['group'] == begun['pid']
    assert submitted['submit'] == {'spec': {'seeds': ['http://a/', 'http://b/'], 'name': 'run',
                                            'retry': {'give_up_s': 600}}}, submitted
    assert ended['signal'] == signal.SIGTERM and is_gone(ended['pid'])


def test_the_directory_is_named_after_the_job(stage):
    tree = Tree(stage)
    os.chdir(stage.dir)
    env = {**os.environ, 'FAKE_CRAWLD': '{}', 'FAKE_CRAWLD_TESTS': harness.HERE}
    subprocess.run([tree.program, 'run', '--name', 'news', 'http://a/'], env=env, check=True, timeout=60, capture_output=True)
    assert os.path.exists(stage.path('crawl-news/crawld.log'))


def test_a_daemon_that_does_not_start_shows_its_last_words(stage):
    done = Tree(stage).run('http://a/', code=1, fail='crawld.conf:3: no such key')
    assert 'crawld did not start' in done.err and 'crawld.conf:3: no such key' in done.err, done.err


def test_ctrl_c_stops_cleanly_and_tells_how_to_resume(stage):
    tree = Tree(stage)
    child = tree.start('http://a/', ready_after=10 ** 9)
    harness.wait_until(lambda: os.path.exists(tree.out + '/events.jsonl') and len(tree.events()) > 1, 'the job is submitted')
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130 and f'--out {tree.out} goes on' in err, (child.returncode, err)
    last = tree.events()[-1]
    assert last['signal'] == signal.SIGTERM and is_gone(last['pid'])


def test_a_second_ctrl_c_kills(stage):
    tree = Tree(stage)
    child = tree.start('http://a/', ready_after=10 ** 9, deaf=True)
    harness.wait_until(lambda: os.path.exists(tree.out + '/events.jsonl') and len(tree.events()) > 1, 'the job is submitted')
    child.send_signal(signal.SIGINT)
    harness.wait_until(lambda: 'signal' in tree.events()[-1], 'the daemon is asked to end')
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130 and is_gone(tree.events()[0]['pid'])


def test_the_daemon_ends_when_crawlctl_is_killed(stage):
    tree = Tree(stage)
    child = tree.start('http://a/', ready_after=10 ** 9)
    harness.wait_until(lambda: os.path.exists(tree.out + '/events.jsonl') and len(tree.events()) > 1, 'the job is submitted')
    child.kill()
    child.communicate(timeout=30)
    harness.wait_until(lambda: is_gone(tree.events()[0]['pid']), 'the daemon ends')
    assert tree.events()[-1]['signal'] == signal.SIGTERM


def test_the_same_directory_goes_on_with_its_job(stage):
    tree = Tree(stage)
    done = tree.run('http://a/', job=job('run', 'paused', queued=1, stored=1))
    assert 'going on with run' in done.err and '1 duplicate' in done.err, done.err
    begun, added, resumed, ended = tree.events()
    assert added['add'] == {'job': 'run', 'urls': ['http://a/']} and resumed['resume'] == {'job': 'run'}
    done = tree.run('http://a/', job=job('run', stored=2), closed=True)
    assert 'has taken its URLs' in done.err, done.err


def test_a_cut_upload_is_taken_up_again_to_its_end(stage):
    tree = Tree(stage)
    tree.run('http://a/', job={**job('run', 'paused', stored=1), 'why': 'input_cut'})
    assert tree.events()[1]['add'] == {'job': 'run', 'urls': ['http://a/'], 'last': True}, tree.events()


def test_a_job_that_is_done_already_is_no_failure(stage):
    tree = Tree(stage)
    os.mkdir(tree.out)
    done = tree.run(job=job('run', 'done', stored=1))
    assert 'run in' in done.err and 'is done already' in done.err and 'run: done' in done.out, (done.out, done.err)


def test_a_path_too_long_for_a_socket_gets_one_elsewhere(stage):
    tree = Tree(stage)
    out = stage.path('x' * 120)
    tree.run('http://a/', out=out)
    path = tree.events(out)[0]['socket']
    assert len(path) < 108 and not os.path.exists(os.path.dirname(path)), path


def test_run_refuses_what_it_cannot_do(stage):
    tree = Tree(stage)
    assert 'no URLs' in tree.run(code=2).err
    assert 'keep-open' in tree.run('--keep-open', 'http://a/', code=2).err
    assert 'KEY=VALUE' in tree.run('--set', 'workers', 'http://a/', code=2).err
    assert not os.path.exists(tree.out)


def test_a_directory_that_is_a_file_hurts_nobody(stage):
    tree = Tree(stage)
    done = tree.run('http://a/', out=stage.write('out', 'a file'), code=1)
    assert 'crawld.log: Not a directory' in done.err, done.err
