# SPDX-License-Identifier: MIT
"""crawlctl with the real daemon: every command that is built, on a job that is small."""
import csv
import io
import json
import os
import signal
import subprocess
import time

import harness

OWN = ('--pace', 'own')


def urls(origin, count, path='/bytes/10?n='):
    return [origin.url(f'{path}{i}') for i in range(count)]


def test_submit_wait_results_extract(stage):
    origin, daemon = stage.origin(), stage.crawld()
    assert daemon.ctl('submit', '--name', 'news', '--wait', *OWN, *urls(origin, 20), urls(origin, 1)[0]).stdout == 'news\n'
    shown = json.loads(daemon.ctl('show', 'news', '--json').stdout)
    assert shown['state'] == 'done' and shown['counts']['stored'] == 20 and shown['counts']['duplicates'] == 1, shown
    rows = [json.loads(line) for line in daemon.ctl('results', 'news').stdout.splitlines()]
    assert rows == daemon.rows('news')
    table = list(csv.DictReader(io.StringIO(daemon.ctl('results', 'news', '-ocsv', '--fields', 'seq,status').stdout)))
    assert sorted(int(r['seq']) for r in table) == list(range(1, 21))
    daemon.ctl('extract', 'news', stage.path('pages'))
    with open(stage.path('pages/index.jsonl'), encoding='utf-8') as file:
        index = [json.loads(line) for line in file]
    assert len(index) == 20
    for entry in index:
        target = entry['url'].removeprefix(origin.url(''))
        with open(stage.path('pages/' + entry['file']), 'rb') as file:
            assert file.read() == harness.origin_body(target, 10), entry


def test_a_job_is_kept_open_added_to_and_finished(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.ctl('submit', '--name', 'a', '--keep-open', *OWN, origin.url('/bytes/1'))
    daemon.ctl('wait', 'a', '--for', 'idle', '--timeout', '30s')
    assert '2 URLs accepted, 1 duplicate' in daemon.ctl('add', 'a', *urls(origin, 2), origin.url('/bytes/1')).stderr
    lines = '\n'.join(urls(origin, 5000)) + '\n\xff'
    done = daemon.ctl('add', 'a', '-i', stage.write('urls', lines.encode('latin-1')))
    assert '4,998 URLs accepted, 2 duplicates, 1 bad' in done.stderr, done.stderr
    assert daemon.show('a')['state'] == 'running'
    daemon.ctl('finish', 'a')
    daemon.ctl('wait', 'a', '--timeout', '60s')
    assert daemon.show('a')['counts']['stored'] == 5001
    assert daemon.ctl('add', 'a', origin.url('/x'), check=False).returncode == 6


def test_streamed_input_becomes_one_job(stage):
    origin, daemon = stage.origin(), stage.crawld()
    done = daemon.ctl('submit', '--name', 's', '-i', '-', '--wait', *OWN, stdin='\n'.join(urls(origin, 3000)))
    assert done.stdout == 's\n' and daemon.wait_done('s')['counts']['stored'] == 3000


def test_word_lists_of_any_size_are_uploaded(stage):
    origin, daemon = stage.origin(), stage.crawld()
    words = stage.write('words', '\n'.join(f'w{i}' for i in range(4000)))
    daemon.ctl('submit', '--name', 'w', '--wait', *OWN, '--words', f'a={words}', '--template', origin.url('/bytes/1?{a}'))
    assert daemon.wait_done('w')['counts']['stored'] == 4000


def test_pause_resume_cancel_delete(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.ctl('submit', '--name', 'p', *OWN, '--delay', '1h', *urls(origin, 50))
    daemon.ctl('pause', 'p')
    daemon.ctl('wait', 'p', '--for', 'paused', '--timeout', '30s')
    assert 'paused' in daemon.ctl('jobs').stdout
    assert daemon.ctl('delete', 'p', check=False).returncode == 6
    daemon.ctl('resume', 'p')
    assert daemon.ctl('resume', 'p', check=False).returncode == 6
    assert daemon.ctl('wait', 'p', '--timeout', '200ms', check=False).returncode == 124
    daemon.ctl('cancel', 'p')
    assert daemon.ctl('wait', 'p', '--timeout', '30s', check=False).returncode == 1
    daemon.wait_state('p', 'cancelled')
    daemon.ctl('delete', 'p')
    assert daemon.ctl('show', 'p', check=False).returncode == 4
    assert not os.path.exists(daemon.job_dir('p'))


def test_errors_have_their_exit_codes(stage):
    daemon = stage.crawld()
    for arguments, code in ((['show', 'none'], 4), (['pause', 'none'], 4), (['submit', '--depth', '1', *OWN, 'http://a/'], 1),
                            (['submit', '--attempts', '1000', *OWN, 'http://a/'], 2), (['results', 'none'], 4), (['submit', *OWN], 2),
                            (['submit', '--name', 'Bad Name', *OWN, 'http://a/'], 2), (['stats', '--field', 'x.y'], 4)):
        done = daemon.ctl(*arguments, check=False)
        assert done.returncode == code and 'crawlctl: ' in done.stderr, (arguments, done.returncode, done.stderr)
    daemon.ctl('submit', '--name', 'a', '--keep-open', *OWN, 'http://127.0.0.1:1/')
    assert daemon.ctl('submit', '--name', 'a', *OWN, 'http://127.0.0.1:1/', check=False).returncode == 6


def test_the_daemon_is_looked_at_and_stopped(stage):
    daemon = stage.crawld(settings={'workers': '2'})
    assert daemon.ctl('ping').stdout == 'pong\n'
    assert daemon.ctl('workers').stdout.count('worker-') == 2
    assert json.loads(daemon.ctl('status', '--json').stdout)['pid'] == daemon.process.pid
    assert 'accepted' in daemon.ctl('status').stdout
    assert daemon.ctl('stats', '--field', 'workers.0.name').stdout.strip() == 'worker-0'
    assert 'crawld   0.' in daemon.ctl('version').stdout
    daemon.close_control()
    daemon.ctl('stop')
    assert daemon.process.wait() == 0


def run(stage, *arguments, code=0):
    """crawlctl run into stage.path('out')."""
    done = harness.crawlctl('run', '--out', stage.path('out'), '--allow-cidr', '127.0.0.0/8', *OWN, *arguments, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def rows_of(stage, job='run'):
    with open(stage.path(f'out/jobs/{job}/results.jsonl'), encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def test_a_second_run_without_a_name_is_not_taken_for_the_first(stage):
    origin = stage.origin()
    first, second = ([origin.url(f'/{n}')] for n in range(2))
    nameless = ['run', '--allow-cidr', '127.0.0.0/8', *OWN]
    harness.crawlctl(*nameless, *first, cwd=stage.dir)
    done = harness.crawlctl(*nameless, *second, cwd=stage.dir, check=False)
    assert done.returncode == 6 and 'nothing was fetched' in done.stderr and '--name' in done.stderr, done.stderr
    assert 'is done already' in harness.crawlctl(*nameless, cwd=stage.dir).stderr
    harness.crawlctl(*nameless, '--name', 'other', *second, cwd=stage.dir)
    assert os.path.exists(stage.path('crawl-other/jobs/other/results.jsonl'))


def test_run_says_why_and_what_helps(stage):
    done = harness.crawlctl('run', *OWN, '--out', stage.path('why'), 'http://127.0.0.1:9/', 'ftp://127.0.0.1:9/', 'no url')
    assert 'ftp://127.0.0.1:9/ and 1 more do not begin with http:// or https://' in done.stderr, done.stderr
    for reason in ('contact', 'scheme', 'bad_url'):
        assert f'1 {reason}: ' in done.stdout, done.stdout
    assert '--contact' in done.stderr and 'only http:// and https://' in done.stderr, done.stderr


def test_a_file_in_place_of_a_url_is_refused_before_anything_begins(stage):
    urls_file, out = stage.write('urls.txt', 'http://a/\n'), stage.path('not-made')
    done = harness.crawlctl('run', *OWN, '--out', out, urls_file, check=False)
    assert done.returncode == 2 and f'-i {urls_file}' in done.stderr, done.stderr
    done = harness.crawlctl('run', *OWN, '--out', out, '-i', urls_file + '.missing', check=False)
    assert done.returncode == 4 and 'No such file' in done.stderr, done.stderr
    assert not os.path.exists(out)
    done = harness.crawlctl('run', *OWN, '--name', '../x', 'http://a/', cwd=stage.dir, check=False)
    assert done.returncode == 2 and '"../x" is not a name' in done.stderr, done.stderr


def test_run_crawls_and_leaves_rows(stage):
    origin = stage.origin()
    done = run(stage, *urls(origin, 30))
    assert 'run: done, 30 URLs' in done.stdout and len(rows_of(stage)) == 30, done.stdout
    assert 'is done already' in run(stage, *urls(origin, 30)).stderr
    assert len(rows_of(stage)) == 30


def interrupt(stage, number, *arguments):
    child = subprocess.Popen([harness.program('ctl', 'crawlctl'), 'run', '--out', stage.path('out'), '--allow-cidr',
                              '127.0.0.0/8', *OWN, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    path = stage.path('out/jobs/run/results.jsonl')
    harness.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 'the first rows are there')
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    return child.returncode, err


def test_an_interrupted_run_goes_on_where_it_was(stage):
    origin = stage.origin()
    given = ('--delay', '2ms', '-i', stage.write('urls', '\n'.join(urls(origin, 3000))))
    code, err = interrupt(stage, signal.SIGINT, *given)
    assert code == 130 and 'goes on from here' in err, (code, err)
    before = len(rows_of(stage))
    assert 0 < before < 3000, before
    done = run(stage, *given)
    assert 'going on with run' in done.stderr, done.stderr
    rows = rows_of(stage)
    assert sorted(row['seq'] for row in rows) == list(range(1, 3001))


def test_a_killed_run_leaves_no_daemon_and_goes_on(stage):
    origin = stage.origin()
    given = stage.write('urls', '\n'.join(urls(origin, 2000)))
    code, _ = interrupt(stage, signal.SIGKILL, '--delay', '2ms', '-i', given)
    assert code == -9
    end = time.monotonic() + harness.PATIENCE_S
    while True:
        done = harness.crawlctl('run', '--out', stage.path('out'), '--allow-cidr', '127.0.0.0/8', *OWN, check=False)
        if 'did not start' not in done.stderr or time.monotonic() > end:
            break
        time.sleep(0.1)
    assert done.returncode == 0, done.stderr
    assert sorted(row['seq'] for row in rows_of(stage)) == list(range(1, 2001))


def test_a_member_that_rows_do_not_have_is_refused(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.ctl('submit', '--name', 'j', '--pace', 'own', '--wait', origin.url('/redirect/1'), origin.url('/p'))
    for fields, meant in (('nosuch', None), ('seq,ulr', 'url'), ('warc.fiel', 'warc.file'), ('offset', 'warc.offset'),
                          ('url.0', None), ('redirects.x', None), ('warc.', None), ('seq.', None)):
        done = daemon.ctl('results', 'j', '--fields', fields, check=False)
        assert done.returncode == 2 and not done.stdout, (fields, done)
        assert fields.split(',')[-1] in done.stderr and (not meant or f'did you mean {meant}?' in done.stderr), done.stderr
    [first, second] = daemon.ctl('results', 'j', '--fields', 'seq,warc,ms.total,redirects.0,links').stdout.splitlines()
    assert all({'seq', 'warc', 'ms.total'} <= set(json.loads(line)) for line in (first, second)), (first, second)


def test_a_run_that_is_refused_leaves_nothing_behind(stage):
    origin = stage.origin()
    os.mkdir(stage.path('here'))
    refused = ('--allow-cidr', '127.0.0.0/8', '--pace', 'own', '--header', 'Host: x', origin.url('/'))
    done = harness.crawlctl('run', *refused, check=False, cwd=stage.path('here'))
    assert done.returncode and os.listdir(stage.path('here')) == [], (done, os.listdir(stage.path('here')))
    os.mkdir(stage.path('there'))
    harness.crawlctl('run', '--out', stage.path('there'), *refused, check=False)
    assert os.path.isdir(stage.path('there')), 'a directory of others is gone'
    kept = stage.path('kept')
    harness.crawlctl('run', '--out', kept, '--allow-cidr', '127.0.0.0/8', '--pace', 'own', origin.url('/'))
    before = sorted(os.listdir(kept))
    harness.crawlctl('run', '--out', kept, '--name', 'other', *refused, check=False)
    assert sorted(os.listdir(kept)) == before
