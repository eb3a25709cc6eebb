# SPDX-License-Identifier: MIT
"""crawlctl against a scripted control socket: exit codes, texts, pipelining, wrong and rude daemons."""
import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys

import harness
from ctl_stub import COUNTS, HELLO, Refusal, Stub, job


def expect(done, code, *texts):
    assert done.returncode == code, (done.returncode, done.stdout[-500:], done.stderr[-1500:])
    for text in texts:
        assert text in done.stdout + done.stderr, (text, done.stdout[-500:], done.stderr[-1500:])
    return done


def sums(args):
    """A job.add that takes everything."""
    bad = sum(isinstance(u, dict) for u in args['urls'])
    return {'accepted': len(args['urls']) - bad, 'duplicates': 0, 'bad': bad}


def test_no_daemon_exits_3_with_a_hint(stage):
    expect(harness.crawlctl('-s', stage.path('nothing'), 'ping', check=False), 3, 'crawlctl: cannot reach', 'hint: ')


def test_a_socket_that_may_not_be_opened_exits_5(stage):
    if os.geteuid() == 0:
        raise harness.Skip('root may open everything')
    stub = Stub(stage, {})
    os.chmod(stub.path, 0)
    expect(stub.ctl('ping'), 5, 'hint: ')


def test_a_socket_path_that_is_too_long_is_told(stage):
    expect(harness.crawlctl('-s', '/tmp/' + 'x' * 200, 'ping', check=False), 3, 'File name too long')


def test_usage_errors_exit_2(stage):
    for arguments, text in ((['stat'], 'did you mean stats?'), (['--sokcet', 'x', 'ping'], 'did you mean --socket?'),
                            (['submit', '--dely', '1s'], 'did you mean --delay?'), (['show'], 'something is missing'),
                            (['ping', 'x'], 'too many words'), (['-o', 'xml', 'ping'], 'want table'), ([], 'COMMAND'),
                            (['submit', '--delay', '5'], 'want a duration'), (['submit', '--delay'], 'needs a value'),
                            (['wait', 'a', '--for', 'ever'], 'done, idle or paused'), (['add', 'a'], 'no URLs'),
                            (['submit', '--keep-open=1'], 'takes no value'), (['help', 'xyzzy'], 'no command'),
                            (['results', 'a', '--outcome', 'good'], 'stored, dropped')):
        expect(harness.crawlctl(*arguments, check=False), 2, text)


def test_commands_not_built_are_refused_by_name(stage):
    for name in ('set', 'top', 'schema', 'report'):
        expect(harness.crawlctl(name, 'x', check=False), 1, f'unsupported: the command {name}', 'hint: ')


def test_every_error_code_has_its_exit_code(stage):
    codes = {'bad_frame': 7, 'bad_request': 7, 'unknown_op': 7, 'bad_argument': 2, 'not_found': 4, 'already_exists': 6,
             'wrong_state': 6, 'denied': 5, 'busy': 1, 'limit': 1, 'timeout': 124, 'unsupported': 1, 'shutting_down': 1,
             'config_error': 1, 'storage': 1, 'internal': 1, 'brand_new': 1}
    stub = Stub(stage, {'job.show': lambda args: Refusal(args['job'], 'it is so', hint='do this')})
    for code, exit_code in codes.items():
        done = expect(stub.ctl('show', code), exit_code, 'it is so', 'hint: do this')
        assert done.stdout == '', done.stdout


def test_an_error_names_its_field_and_bytes_are_escaped(stage):
    stub = Stub(stage, {'job.show': Refusal('bad_argument', 'wrong \x1b[31m', field='args.job')})
    expect(stub.ctl('show', 'x'), 2, r'wrong \x1b[31m (job)')


def test_another_protocol_exits_7(stage):
    expect(Stub(stage, {}, hello={**HELLO, 'proto': 2}).ctl('ping'), 7, 'protocol 2')
    for hello in (b'220 smtp ready\r\n', b'[]\n', b'{"hello":{}}\n', b'{"hello":{"proto":1}} trailing\n',
                  b'\xff\xfe\n', b'{"hello":1,"hello":2}\n'):
        expect(Stub(stage, {}, hello=hello).ctl('ping'), 7, 'does not speak')


def test_a_refusal_in_place_of_the_hello_is_told(stage):
    hello = json.dumps({'id': None, 'ok': False, 'error': {'code': 'denied', 'message': 'not you'}}).encode() + b'\n'
    expect(Stub(stage, {}, hello=hello).ctl('ping'), 5, 'not you')


def test_a_hang_up_exits_3(stage):
    expect(Stub(stage, {'ping': {}}, hang_up_after=0).ctl('ping'), 3, 'closed the connection before it answered')
    expect(Stub(stage, {}, hello=b'').ctl('--reply-timeout', '300ms', 'ping'), 124)


def test_silence_exits_124_after_the_reply_timeout(stage):
    expect(Stub(stage, {'ping': None}).ctl('--reply-timeout', '200ms', 'ping'), 124, 'no answer', '--reply-timeout')


def test_a_recovering_daemon_is_waited_for(stage):
    answers = [Refusal('recovering', f'recovering: {n} %') for n in range(8)] + [{'pong': True}]
    stub = Stub(stage, {'ping': lambda args: answers.pop(0)})
    done = expect(stub.ctl('ping'), 0, 'waiting: recovering: 5 %', 'pong')
    assert done.stderr.count('waiting') == 1, done.stderr


def test_ctrl_c_exits_130(stage):
    stub = Stub(stage, {'job.show': job()})
    child = subprocess.Popen([harness.program('ctl', 'crawlctl'), '-s', stub.path, 'wait', 'a'],
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    harness.wait_until(lambda: stub.requests, 'crawlctl asks')
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130, child.returncode


def test_json_is_the_result_unchanged(stage):
    status = {'state': 'running', 'b': [1, 2.5, None, True], 'counts': COUNTS, 'ü': '\u2028"\\'}
    stub = Stub(stage, {'status': status})
    assert json.loads(stub.ctl('--json', 'status').stdout) == status
    assert json.loads(stub.ctl('status', '-o', 'jsonl').stdout) == status
    rows = dict(csv.reader(io.StringIO(stub.ctl('-ocsv', 'status').stdout)))
    assert rows['state'] == 'running' and rows['b.1'] == '2.5' and rows['ü'] == '\u2028"\\', rows
    expect(stub.ctl('status'), 0, 'crawld', '9.9.9', 'accepted')


def test_jobs_come_in_pages_and_as_a_table(stage):
    pages = {None: {'items': [job('a', stored=1234567)], 'next': 'c1'}, 'c1': {'items': [job('bb')], 'next': None}}
    stub = Stub(stage, {'job.list': lambda args: pages[args.get('after')]})
    lines = expect(stub.ctl('jobs'), 0, '1,234,567').stdout.splitlines()
    assert [line.split()[0] for line in lines] == ['NAME', 'a', 'bb'], lines
    assert len({line.index(word) for line, word in zip(lines, ('STATE', 'running', 'running'))}) == 1, lines
    assert [j['name'] for j in json.loads(stub.ctl('jobs', '--json').stdout)['items']] == ['a', 'bb']
    assert [json.loads(line)['name'] for line in stub.ctl('jobs', '-o', 'jsonl').stdout.splitlines()] == ['a', 'bb']


def test_verbs_name_the_job(stage):
    ops = ('pause', 'resume', 'cancel', 'finish', 'delete')
    stub = Stub(stage, {f'job.{op}': job() for op in ops})
    for op in ops:
        expect(stub.ctl(op, 'a'), 0, 'a: ')
        assert stub.asked(f'job.{op}') == [{'job': 'a'}], stub.requests
    expect(stub.ctl('delete', 'a', '--keep-data'), 0)
    assert stub.asked('job.delete')[-1] == {'job': 'a', 'keep_data': True}


def test_submit_turns_flags_into_the_specification(stage):
    stub = Stub(stage, {'job.submit': job('n', queued=2)})
    words = stage.write('words', 'a\r\n\nb\n')
    spec = stage.write('spec.json', json.dumps({'seeds': ['http://s/'], 'pace': {'delay_ms': 1, 'in_flight': 7},
                                                'keep': {'status': [200]}}))
    done = expect(stub.ctl('submit', '--spec', spec, '--name', 'n', '--delay', '2s', '--keep-status', '301,4xx',
                           '--header', 'A: b', '--header', 'C:d', '--max-body=1MiB', '--no-dedup', '--words',
                           f'sub={words}', '--range', 'n=1:9:2', '--template', 'http://{sub}/{n}', 'http://u/'), 0,
                  '2 URLs accepted')
    assert done.stdout == 'n\n', done.stdout
    [args] = stub.asked('job.submit')
    assert args == {'spec': {
        'seeds': ['http://s/', 'http://u/'], 'pace': {'delay_ms': 2000, 'in_flight': 7},
        'keep': {'status': [200, 301, '4xx']}, 'name': 'n', 'request': {'headers': {'A': 'b', 'C': 'd'}},
        'max_body_bytes': 1048576, 'dedup': False, 'template': 'http://{sub}/{n}',
        'words': {'sub': ['a', 'b'], 'n': {'from': 1, 'to': 9, 'step': 2}}}}, args


def test_dry_run_tells_and_asks_nobody(stage):
    done = expect(harness.crawlctl('-s', '/nowhere', 'submit', '--dry-run', '--pace', 'probe', 'http://x/', check=False), 0)
    assert json.loads(done.stdout)['pace']['connections_per_ip'] == 64, done.stdout
    expect(harness.crawlctl('submit', '--dry-run', '--depth', '2', 'http://x/', check=False), 1, 'unsupported', 'follow.depth')
    expect(harness.crawlctl('submit', '--dry-run', '--attempts', '1000', 'http://x/', check=False), 2, 'retry.attempts')


def test_input_lines_are_pipelined_in_full_request_lines(stage):
    urls = [f'http://host{i % 50}.example.com/some/path/{i}?q="{i}"\\ü' for i in range(60000)]
    stub = Stub(stage, {'job.submit': {'name': 'n'}, 'job.add': sums})
    done = expect(stub.ctl('submit', '-i', stage.write('urls', '\n'.join(urls))), 0, '60,000 URLs accepted')
    assert done.stdout == 'n\n'
    adds = stub.asked('job.add')
    assert stub.asked('job.submit') == [{'spec': {}, 'more': True}]
    assert [u for a in adds for u in a['urls']] == urls
    assert [a.get('last') for a in adds] == [None] * (len(adds) - 1) + [True]
    assert 60000 < stub.longest_line <= 65536, stub.longest_line
    assert len({r['id'] for r in stub.requests}) == len(stub.requests)


def test_replies_out_of_order_and_slow_ones_are_matched(stage):
    urls = '\n'.join(f'http://h/{i:060}' for i in range(60000))
    stub = Stub(stage, {'job.show': job(), 'job.add': sums}, gather=True)
    expect(stub.ctl('add', 'a', '-i', '-', stdin=urls), 0, '60,000 URLs accepted')
    assert stub.most_outstanding == 32, stub.most_outstanding
    assert 'last' not in stub.requests[-1]['args'], stub.requests[-1]


def test_bad_lines_go_as_bad_and_are_counted(stage):
    data = b'http://a/\r\n\n\xff\xfe\x00x\n' + b'y' * 9000 + b'\nhttp://b/' + b'z' * 8183 + b'\nhttp://c/'
    stub = Stub(stage, {'job.show': job(), 'job.add': sums})
    expect(stub.ctl('add', 'a', '-i', stage.write('urls', data)), 0, '3 URLs accepted, 2 bad')
    urls = [u for a in stub.asked('job.add') for u in a['urls']]
    assert urls[0] == 'http://a/' and urls[-1] == 'http://c/' and len(urls[3]) == 8192, urls
    assert urls[1] == {'line': 3, 'bad': r'\xff\xfe\x00x'}, urls[1]
    assert urls[2] == {'line': 4, 'bad': 'y' * 256}, urls[2]


def test_a_failed_add_ends_the_upload_with_its_code(stage):
    urls = '\n'.join(f'http://h/{i:060}' for i in range(50000))
    stub = Stub(stage, {'job.submit': {'name': 'n'}, 'job.add': Refusal('storage', 'disk full')})
    expect(stub.ctl('submit', '-i', '-', stdin=urls), 1, 'disk full', 'crawlctl finish n')


def test_add_to_no_job_exits_4_before_it_reads(stage):
    expect(Stub(stage, {'job.show': Refusal('not_found', 'no job b')}).ctl('add', 'b', '-i', '-', stdin='x'), 4, 'no job b')


def test_seeds_and_words_too_long_for_a_line_are_uploaded(stage):
    seeds = [f'http://s/{i}' for i in range(9000)]
    words = [f'word{i}' for i in range(20000)]
    spec = stage.write('spec.json', json.dumps({'seeds': seeds, 'words': {'b': ['x'] * 20000}, 'name': 'n'}))
    stub = Stub(stage, {'job.submit': {'name': 'n'}, 'job.add': sums, 'job.words': {}})
    expect(stub.ctl('submit', '--spec', spec, '--words', f'a={stage.write("words", chr(10).join(words))}'), 0)
    [args] = stub.asked('job.submit')
    assert args == {'spec': {'words': {'a': {'upload': True}, 'b': {'upload': True}}, 'name': 'n'}, 'more': True}, args
    sent = {name: [w for a in stub.asked('job.words') if a['name'] == name for w in a['words']] for name in 'ab'}
    assert sent == {'a': words, 'b': ['x'] * 20000}
    adds = stub.asked('job.add')
    assert [u for a in adds for u in a['urls']] == seeds and adds[-1]['last'] is True
    ops = [r['op'] for r in stub.requests]
    assert ops.index('job.add') > max(i for i, op in enumerate(ops) if op == 'job.words'), 'words before URLs'
    assert stub.longest_line <= 65536


def test_wait_ends_when_jobs_are_where_they_should_be(stage):
    states = [job('a'), job('a'), job('a', 'done', stored=3)]
    stub = Stub(stage, {'job.show': lambda args: states.pop(0) if len(states) > 1 else states[0]})
    expect(stub.ctl('wait', 'a'), 0)
    expect(Stub(stage, {'job.show': job('a', queued=0)}).ctl('wait', 'a', '--for', 'idle'), 0)
    expect(Stub(stage, {'job.show': job('a', 'paused')}).ctl('wait', 'a', 'b', '--for', 'paused'), 0)
    expect(Stub(stage, {'job.show': job('a', 'cancelled')}).ctl('wait', 'a'), 1, 'a is cancelled')
    expect(Stub(stage, {'job.show': job('a', 'done')}).ctl('wait', 'a', '--for', 'paused'), 1, 'a is done')
    expect(Stub(stage, {'job.show': job('a', queued=1)}).ctl('wait', 'a', '--for', 'idle', '--timeout', '100ms'), 124)
    expect(Stub(stage, {'job.show': Refusal('not_found', 'no a')}).ctl('wait', 'a'), 4, 'no a')


def rows_stub(stage, count, **options):
    rows = [{'seq': i, 'url': f'http://h/{i},"x"', 'outcome': 'stored', 'status': 200, 'warc': {'file': 'f', 'offset': i}}
            for i in range(count)]

    def results(args):
        start = int(args.get('after', 0))
        page = rows[start:start + args['limit']]
        return {'items': page, 'next': str(start + len(page)) if start + len(page) < len(rows) else None}
    return rows, Stub(stage, {'results': results, 'job.show': lambda args: job('a', 'done')}, **options)


def test_results_come_whole_as_lines_and_as_csv(stage):
    rows, stub = rows_stub(stage, 1234)
    assert [json.loads(line) for line in stub.ctl('results', 'a').stdout.splitlines()] == rows
    assert json.loads(stub.ctl('results', 'a', '--json').stdout)['items'] == rows
    table = list(csv.DictReader(io.StringIO(stub.ctl('results', 'a', '-ocsv', '--fields', 'url,warc.offset,ip').stdout)))
    assert table[7] == {'url': rows[7]['url'], 'warc.offset': '7', 'ip': ''}, table[7]
    assert len(table) == 1234
    some = [json.loads(line) for line in stub.ctl('results', 'a', '--fields', 'seq,warc.file,ip').stdout.splitlines()]
    assert some[3] == {'seq': 3, 'warc.file': 'f'}, some[3]
    expect(stub.ctl('results', 'a', '-o', 'table'), 1, 'unsupported')
    expect(stub.ctl('results', 'a', '--outcome', 'failed'), 0)
    assert stub.asked('results')[-1]['outcome'] == 'failed'


def test_results_followed_show_each_row_once(stage):
    rows = [{'seq': i} for i in range(3)]
    grown = []

    def results(args):
        if not grown or len(grown) < 3:
            grown.append(1)
        start = int(args.get('after', 0))
        return {'items': rows[start:len(grown)]}
    stub = Stub(stage, {'results': results, 'job.show': lambda args: job('a', 'done' if len(grown) == 3 else 'running')})
    done = expect(stub.ctl('results', 'a', '-f'), 0)
    assert [json.loads(line)['seq'] for line in done.stdout.splitlines()] == [0, 1, 2], done.stdout


def test_head_does_not_make_results_complain(stage):
    _, stub = rows_stub(stage, 20000)
    done = subprocess.run(['sh', '-c', '"$0" -s "$1" results a | head -n 1', harness.program('ctl', 'crawlctl'), stub.path],
                          capture_output=True, text=True, timeout=60)
    assert done.stderr == '' and done.stdout.startswith('{"seq"'), done


def test_a_full_disk_under_stdout_exits_1(stage):
    _, stub = rows_stub(stage, 2000)
    with open('/dev/full', 'w') as full:
        done = subprocess.run([harness.program('ctl', 'crawlctl'), '-s', stub.path, 'results', 'a'], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and 'No space left' in done.stderr, done


def test_extract_writes_bodies_under_safe_names(stage):
    os.makedirs(stage.path('job/warc'))
    bodies = {1: b'<html>', 2: bytes(range(256)) * 100, 4: b''}
    rows, data = [], b''
    for seq, body in bodies.items():
        http = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
        http += (b'%x\r\n%s\r\n' % (len(body), body) if body else b'') + b'0\r\n\r\n'
        record = gzip.compress(b'WARC/1.1\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n' % (len(http), http))
        rows.append({'seq': seq, 'url': f'http://h/a/../{seq}%2f?x', 'outcome': 'stored', 'status': 200, 'mime': 'text/html',
                     'warc': {'file': 'x.warc.gz', 'offset': len(data), 'length': len(record)}})
        data += record
    rows.insert(2, {'seq': 3, 'url': 'http://h/', 'outcome': 'failed', 'reason': 'dns_error'})
    rows.append({'seq': 5, 'url': 'http://h/', 'outcome': 'stored', 'warc': {'file': '../../etc/passwd', 'offset': 0, 'length': 9}})
    stage.write('job/warc/x.warc.gz.open', data)
    text = ''.join(json.dumps(row) + '\n' for row in rows).encode()
    stage.write('job/results.jsonl', text + b'{"seq":6,"outcome":"stored","not committed')
    stub = Stub(stage, {'job.show': {**job(), 'dir': stage.path('job'), 'committed_bytes': len(text)}})
    expect(stub.ctl('extract', 'a', stage.path('out')), 1, 'seq 5: ../../etc/passwd', '3 written', '1 rows without', '1 not readable')
    for seq, body in bodies.items():
        with open(stage.path(f'out/{seq:06}-{seq}_2f.html'), 'rb') as file:
            assert file.read() == body
    with open(stage.path('out/index.jsonl'), encoding='utf-8') as file:
        index = [json.loads(line) for line in file]
    assert [(i['seq'], i['bytes']) for i in index] == [(s, len(b)) for s, b in bodies.items()], index
    assert len(os.listdir(stage.path('out'))) == 4
    expect(Stub(stage, {'job.show': {**job(), 'dir': stage.path('nowhere'), 'committed_bytes': 1}}).ctl(
        'extract', 'a', stage.path('out2')), 1, 'cannot open')


def test_stats_fields_workers_and_version(stage):
    stub = Stub(stage, {'stats': {'since_start': {'started': 5}, 'workers': [{'pid': 77}]},
                        'worker.list': {'items': [{'name': 'worker-0', 'pid': 77, 'alive': True, 'rss_bytes': 1048576,
                                                   'last_exit': {'pid': 76, 'exitcode': -9, 'time': 't'}}]}})
    assert stub.ctl('stats', '--field', 'since_start.started').stdout == '5\n'
    assert stub.ctl('stats', '--field', 'workers.0.pid').stdout == '77\n'
    expect(stub.ctl('stats', '--field', 'nothing.there'), 4, 'no nothing.there')
    expect(stub.ctl('workers'), 0, 'worker-0', '1.0 MiB', '-9')
    expect(stub.ctl('version'), 0, 'crawlctl ', 'crawld   9.9.9')


def test_verify_exits_1_when_something_is_wrong(stage):
    expect(Stub(stage, {'verify': {'ok': True, 'problems': []}}).ctl('verify'), 0, 'ok')
    bad = Stub(stage, {'verify': {'ok': False, 'problems': ['job a: results.jsonl is short']}})
    expect(bad.ctl('verify', 'a'), 1, 'results.jsonl is short', 'damaged')
    assert bad.asked('verify') == [{'job': 'a'}]


def test_stop_says_how(stage):
    stub = Stub(stage, {'stop': {}})
    expect(stub.ctl('stop'), 0, 'finishes what is in flight')
    expect(stub.ctl('stop', '--now'), 0, 'at once')
    assert stub.asked('stop') == [{}, {'now': True}]


def test_quiet_and_color_are_kept(stage):
    stub = Stub(stage, {'stop': {}, 'ping': Refusal('busy', 'later')})
    assert stub.ctl('-q', 'stop').stderr == ''
    assert '\x1b' not in stub.ctl('ping').stderr
    assert '\x1b' in stub.ctl('--color', 'always', 'ping').stderr


def test_an_interrupted_pipe_is_sent_while_it_pauses(stage):
    stub = Stub(stage, {'job.show': job(), 'job.add': sums})
    child = subprocess.Popen([harness.program('ctl', 'crawlctl'), '-s', stub.path, 'add', 'a', '-i', '-'],
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdin.write(b'http://a/\n')
    child.stdin.flush()
    harness.wait_until(lambda: stub.asked('job.add'), 'the first line is sent before the end')
    child.communicate(b'http://b/\n', timeout=20)
    assert child.returncode == 0
    assert [a['urls'] for a in stub.asked('job.add')] == [['http://a/'], ['http://b/']]


def test_a_progress_line_is_drawn_on_a_terminal(stage):
    import pty
    states = [job('a', queued=9, stored=1)] * 3 + [job('a', 'done', stored=10)]
    stub = Stub(stage, {'job.show': lambda args: states.pop(0) if len(states) > 1 else states[0]})
    try:
        leader, follower = pty.openpty()
    except OSError as error:
        raise harness.Skip(f'no terminals here: {error}') from None
    child = subprocess.Popen([harness.program('ctl', 'crawlctl'), '-s', stub.path, 'wait', 'a'], stderr=follower,
                             stdin=subprocess.DEVNULL, env={**os.environ, 'TERM': 'xterm'})
    assert child.wait(30) == 0
    os.set_blocking(leader, False)
    drawn = os.read(leader, 65536).decode()
    os.close(leader)
    os.close(follower)
    assert '\r\x1b[K' in drawn and '1/10 10%' in drawn and drawn.endswith('\r\x1b[K'), repr(drawn)


if __name__ == '__main__':
    run = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'run')
    os.execv(sys.executable, [sys.executable, run, 'ctl_stub.'] + sys.argv[1:])
