# SPDX-License-Identifier: MIT
"""Long lists: generated ones and those of files, through crashes; each URL has exactly one row."""
import collections
import json
import os
import random
import signal
import struct
import subprocess
import time

import harness

OWN = ('--pace', 'own')
SEED = int(os.environ.get('CRAWLD_TEST_SEED', '1'))
ABSENT = '%E4%B8%8D%E5%AD%98%E5%9C%A8'


def kill_now_and_then(daemon, job, times, most_s=0.5):
    print('seed', SEED)
    random.seed(SEED)
    for n in range(times):
        time.sleep(random.uniform(0.05, most_s))
        if n % 2:
            daemon.kill()
            daemon.start()
        else:
            for worker in daemon.call('worker.list')['items'][:1]:
                if worker.get('pid'):
                    os.kill(worker['pid'], signal.SIGKILL)


def test_a_generated_list_is_probed_through_crashes(stage):
    hosts = [f'127.0.{n // 200}.{n % 200 + 1}' for n in range(100)]
    origin, daemon = stage.origin(listen='0.0.0.0:0'), stage.crawld(settings={'workers': 2, 'commit_interval': '50ms'})
    daemon.ctl('submit', '--name', 'probe', '--pace', 'probe', '--template', f'http://{{}}:{origin.port}/delay/5/p?page={{n}}', '--words', stage.write('hosts.txt', '\n'.join(hosts)),
               '--range', 'n=1:50', '--keep-status', '200', '--keep-body-lacks', '不存在')
    kill_now_and_then(daemon, 'probe', 6)
    daemon.wait_done('probe')
    rows = daemon.check_pages('probe')
    counted = collections.Counter(row['url'] for row in rows)
    assert len(counted) == 5000 and set(counted.values()) == {1}, counted.most_common(3)
    assert set(counted) == {origin.url(f'/delay/5/p?page={n}', host) for host in hosts for n in range(1, 51)}
    assert {row['outcome'] for row in rows} == {'stored'} and {row['seq'] for row in rows} == set(range(1, 5001))
    for host in hosts[:5]:
        assert origin.ledger().most_connections(f'{host}:{origin.port}') <= 1


def test_generated_pages_are_kept_or_dropped_by_their_text(stage):
    origin, daemon = stage.origin(), stage.crawld()
    daemon.ctl('submit', '--name', 'k', *OWN, '--wait', '--template', origin.url('/text?{w}{n}'), '--words', 'w=' + stage.write('w', f'good\n{ABSENT}\n'), '--range', 'n=1:200',
               '--keep-status', '200', '--keep-body-lacks', '不存在')
    rows = daemon.check_pages('k')
    assert collections.Counter((row['outcome'], row.get('reason')) for row in rows) == {('stored', None): 200, ('dropped', 'keep.body_lacks'): 200}
    assert all((ABSENT in row['url']) == (row['outcome'] == 'dropped') for row in rows)
    daemon.ctl('extract', 'k', stage.path('pages'))
    with open(stage.path('pages/index.jsonl'), encoding='utf-8') as file:
        index = [json.loads(line) for line in file]
    assert len(index) == 200
    for entry in index:
        with open(stage.path('pages/' + entry['file']), encoding='utf-8') as file:
            assert file.read() == entry['url'].rpartition('?')[2], entry


def test_lists_run_in_step_or_all_with_all(stage):
    origin, daemon = stage.origin(), stage.crawld()
    words = {'a': ['x', 'y', 'y'], 'b': ['1', '2', '3']}
    urls = {}
    for combine in ('product', 'zip'):
        job = daemon.submit({'template': origin.url('/{a}-{b}-{a}-{}'), 'words': words, 'combine': combine, 'pace': {'preset': 'own'}})
        daemon.wait_done(job)
        urls[combine] = collections.Counter(row['url'].rpartition('/')[2] for row in daemon.rows(job))
    assert urls['product'] == collections.Counter(f'{a}-{b}-{a}-{a}' for a in words['a'] for b in words['b'])
    assert urls['zip'] == collections.Counter(f'{a}-{b}-{a}-{a}' for a, b in zip(words['a'], words['b']))


def test_a_big_word_list_is_uploaded_and_resumed(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '50ms'})
    words = [f'word-{n:05}-{"x" * 20}' for n in range(6000)]
    listing = stage.write('words.txt', '\r\n'.join(words) + '\n\n')
    assert os.path.getsize(listing) > 2 * 65536
    daemon.ctl('submit', '--name', 'big', *OWN, '--in-flight', '50', '--template', origin.url('/{}'), '--words', f'w={listing}')
    kill_now_and_then(daemon, 'big', 4)
    daemon.wait_done('big')
    counted = collections.Counter(row['url'] for row in daemon.check_pages('big'))
    assert counted == collections.Counter(origin.url(f'/{word}') for word in words)


def test_generated_urls_that_are_none_have_their_rows(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'template': '{}', 'words': {'u': [origin.url('/good'), 'nonsense', 'wss://127.0.0.1/', 'ftp://a/b', 'http://a b/', 'http://[::1', '/relative']}, 'pace': {'preset': 'own'}})
    daemon.wait_done(job)
    ends = {row['url']: row.get('reason', row['outcome']) for row in daemon.rows(job)}
    assert ends.pop(origin.url('/good')) == 'stored' and ends.pop('wss://127.0.0.1/') == ends.pop('ftp://a/b') == 'scheme', ends
    assert len(ends) == 4 and set(ends.values()) == {'bad_url'}, ends


def batch_ends(path):
    """Where the batches of a journal end; see daemon/frontier/journal.h."""
    with open(path, 'rb') as file:
        journal = file.read()
    at, ends = 256, []
    while journal[at:at + 4] == b'\xb7jb\n':
        at += 32 + struct.unpack_from('<Q', journal, at + 16)[0]
        ends.append(at)
    return ends


def test_generated_urls_that_are_none_have_their_rows_wherever_the_journal_was_cut(stage):
    # The one URL without a row makes the batches end between a cursor and the row that belongs to it.
    silent, daemon, count = stage.scripted([['hang']]), stage.crawld(settings={'commit_interval': '1s'}), 20000
    words = stage.write('words', '\n'.join([silent.url(), *(f'ftp://a/{n}' for n in range(count - 1))]))
    daemon.ctl('submit', '--name', 'g', *OWN, '--template', '{}', '--words', f'w={words}')

    def all_have_ended():
        counts = daemon.show('g')['counts']
        return counts['accepted'] == count and counts['excluded'] == count - 1
    harness.wait_until(all_have_ended, 'all but one have ended')
    journal = os.path.join(daemon.job_dir('g'), 'frontier.log')
    ends = batch_ends(journal)
    assert len(ends) > 2, ends
    for end in reversed(ends[1:-1]):
        daemon.kill()
        os.truncate(journal, end)
        daemon.start()
        harness.wait_until(all_have_ended, f'all but one have ended again, cut at {end}', 20)
        assert sorted(row['seq'] for row in daemon.rows('g')) == list(range(2, count + 1)), f'cut at {end}'


def test_a_list_as_people_write_them(stage):
    origin, daemon = stage.origin(), stage.crawld()
    lines = [origin.url('/a'), '', origin.url('/a#one'), origin.url('/a#two'), '   ', origin.url('/b') + '  ', '\t' + origin.url('/c'), origin.url('/a'),
             'HTTP://127.0.0.1:%d/b' % origin.port, 'ws://127.0.0.1/secure', 'ftp://127.0.0.1/file', 'mailto:a@b', 'not a url', origin.url('/%e4%b8%8d'),
             origin.url('/不'), origin.url('/' + 'l' * 8000)]
    done = daemon.ctl('submit', '--name', 'l', *OWN, '--wait', '-i', stage.write('list', '\ufeff' + '\r\n'.join(lines)))
    rows = {row['url']: row for row in daemon.rows('l')}
    good = {origin.url(p) for p in ('/a', '/b', '/c', '/%e4%b8%8d', '/%E4%B8%8D', '/' + 'l' * 8000)}
    stored = {url for url, row in rows.items() if row['outcome'] == 'stored'}
    assert stored in (good, good - {origin.url('/%e4%b8%8d')}), (stored ^ good, done.stderr)
    assert {url: row['reason'] for url, row in rows.items() if url not in stored} == {
        'ws://127.0.0.1/secure': 'scheme', 'ftp://127.0.0.1/file': 'scheme', 'mailto:a@b': 'scheme', 'not a url': 'bad_url'}, rows
    assert daemon.show('l')['counts']['duplicates'] == len(lines) - 2 - len(rows), daemon.show('l')['counts']


def test_urls_are_added_while_the_job_runs_and_dies(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '50ms'})
    urls = [origin.url(f'/delay/2/{n}') for n in range(4000)]
    daemon.ctl('submit', '--name', 'a', *OWN, '--in-flight', '40', '--keep-open', *urls[:10])
    for part in range(4):
        daemon.ctl('add', 'a', '-i', stage.write('part', '\n'.join(urls[part * 1000:part * 1000 + 1000])))
        if part % 2:
            daemon.kill()
            daemon.start()
    daemon.ctl('finish', 'a')
    daemon.wait_done('a')
    assert sorted(row['url'] for row in daemon.check_pages('a')) == sorted(urls)


def test_a_killed_upload_leaves_a_job_that_can_go_on(stage):
    origin, daemon = stage.origin(), stage.crawld()
    child = subprocess.Popen([harness.program('ctl', 'crawlctl'), '-s', daemon.socket_path, 'submit', '--name', 'cut', *OWN, '-i', '-'],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child.stdin.write(b''.join(origin.url(f'/{n}\n').encode() for n in range(20000)))
    child.stdin.flush()
    harness.wait_until(lambda: daemon.call('job.list')['items'] and daemon.show('cut')['counts']['accepted'] > 0, 'the first URLs are in')
    child.kill()
    child.wait()
    shown = daemon.wait_state('cut', 'paused')
    assert shown['why'] == 'input_cut', shown
    daemon.kill()
    daemon.start()
    assert daemon.show('cut')['why'] == 'input_cut'
    daemon.ctl('add', 'cut', '-i', stage.write('all', '\n'.join(origin.url(f'/{n}') for n in range(20000))))
    daemon.ctl('resume', 'cut')
    daemon.ctl('finish', 'cut', check=False)
    daemon.wait_done('cut')
    assert daemon.show('cut')['counts']['stored'] == 20000


def test_run_takes_a_template_and_goes_on(stage):
    origin = stage.origin()
    command = [harness.program('ctl', 'crawlctl'), 'run', '--out', stage.path('out'), '--allow-cidr', '127.0.0.0/8', *OWN, '--in-flight', '20',
               '--template', origin.url('/delay/5/{}'), '--range', 'n=1:3000']
    path = stage.path('out/jobs/run/results.jsonl')
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    harness.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 'the first rows')
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.PATIENCE_S)
    assert done.returncode == 0 and 'done' in done.stdout, (done.stdout, done.stderr)
    with open(path, encoding='utf-8') as file:
        counted = collections.Counter(json.loads(line)['url'] for line in file)
    assert counted == collections.Counter(origin.url(f'/delay/5/{n}') for n in range(1, 3001))


def test_lines_that_differ_where_they_are_cut_off_each_have_a_row(stage):
    daemon = stage.crawld()
    long = ['http://127.0.0.1:9/' + 'a' * 9000 + str(n) for n in range(3)]
    wide = ['http://127.0.0.1:9/' + 'é' * 4000 + str(n) for n in range(2)]  # too long when percent-encoded
    job = daemon.submit({'pace': {'preset': 'own'}}, more=True)
    for urls in (long, wide, long, wide, [{'line': 7, 'bad': 'http://x/'}, {'line': 8, 'bad': 'http://x/'}],
                 [{'line': 7, 'bad': 'http://x/'}, {'line': 0, 'bad': 'http://x/'}, {'line': 0, 'bad': 'http://x/'}]):
        daemon.call('job.add', job=job, urls=urls)
    daemon.call('job.add', job=job, urls=[], last=True)
    counts = daemon.wait_done(job)['counts']
    rows = daemon.rows(job)
    assert {(row['outcome'], row['reason']) for row in rows} == {('excluded', 'bad_url')}, rows
    assert (counts['excluded'], counts['duplicates']) == (9, 6), counts
    assert all(len(row['url']) <= 8192 and row['url'].startswith('http://') for row in rows)
    daemon.kill()
    daemon.start()
    assert len(daemon.rows(job)) == 9


def test_long_lines_of_a_file_each_have_a_row(stage):
    daemon = stage.crawld()
    lines = ['http://127.0.0.1:9/' + 'a' * 9000 + str(n) for n in range(3)]
    daemon.ctl('submit', '--name', 'long', *OWN, '-i', stage.write('long.txt', '\n'.join(lines)), '--wait')
    rows = daemon.rows('long')
    assert sorted(row['detail'].split(':')[0] for row in rows) == ['line 1', 'line 2', 'line 3'], rows


def test_long_lists_of_words_lie_in_files_of_their_own(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'commit_interval': '20ms'})
    words = [f'word-{n:05}' for n in range(6000)]
    daemon.ctl('submit', '--name', 'big', '--paused', *OWN, '--template', origin.url('/{a}?{b}'), '--words', 'a=' + stage.write('a', '\n'.join(words)), '--range', 'b=1:2')
    with open(os.path.join(daemon.job_dir('big'), 'words.a'), encoding='ascii') as file:
        assert file.read().split('\0') == words + ['']
    assert os.path.getsize(os.path.join(daemon.job_dir('big'), 'job.json')) < 10000
    shown = daemon.show('big')['spec']['words']
    assert shown == {'a': {'count': 6000, 'bytes': 66000}, 'b': {'from': 1, 'to': 2, 'step': 1}}, shown
    daemon.kill()
    path = os.path.join(daemon.job_dir('big'), 'words.a')
    with open(path, 'r+b') as file:
        file.write(b'\0')
    daemon.start()
    assert daemon.show('big')['state'] == 'damaged' and 'words' in daemon.show('big')['why'], daemon.show('big')
    daemon.kill()
    with open(path, 'r+b') as file:
        file.write(b'w')
    daemon.start()
    daemon.call('job.resume', job='big')
    daemon.wait_done('big')
    assert sorted(row['url'] for row in daemon.rows('big')) == sorted(origin.url(f'/{word}?{n}') for word in words for n in (1, 2))
    path = os.path.join(daemon.job_dir('big'), 'results.jsonl')
    os.truncate(path, os.path.getsize(path) // 2)
    daemon.ctl('verify', 'big', '--repair')
    daemon.wait_done('big')
    assert sorted(row['url'] for row in daemon.rows('big')) == sorted(origin.url(f'/{word}?{n}') for word in words for n in (1, 2))


def test_lists_of_words_have_their_limits(stage):
    daemon = stage.crawld()
    spec = {'name': 'w', 'template': 'http://{a}.test/{b}', 'pace': {'preset': 'own'}, 'combine': 'zip'}
    try:
        daemon.call('job.submit', spec={**spec, 'words': {'a': {'count': 3, 'bytes': 9}, 'b': ['x', 'y', 'z']}})
        assert False, 'words that nobody has are taken'
    except harness.Refused as refused:
        assert refused.code == 'bad_argument' and refused.error['field'] == 'args.spec.words.a', refused.error
    daemon.call('job.submit', spec={**spec, 'words': {'a': {'upload': True}, 'b': ['1', '2', '3']}}, more=True)
    daemon.call('job.words', job='w', name='a', words=['x', 'y'])
    try:
        daemon.call('job.add', job='w', urls=[], last=True)
        assert False, 'lists of different lengths go in step'
    except harness.Refused as refused:
        assert 'zip' in refused.error['hint'], refused.error
    daemon.call('job.submit', spec={**spec, 'words': {'a': {'upload': True}, 'b': ['1', '2', '3']}}, more=True)
    line = ['x' * 60000]
    answers = daemon.control.call_many('job.words', ({'job': 'w', 'name': 'a', 'words': line} for _ in range(2300)))
    assert answers[0]['ok'] and answers[-1]['error']['code'] == 'limit' and answers[-1]['error']['hint'], answers[-1]
    assert sum(answer['ok'] for answer in answers) == (128 << 20) // 60001
