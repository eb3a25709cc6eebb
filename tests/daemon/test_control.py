# SPDX-License-Identifier: MIT
"""The control socket, as scripts see it."""
import grp
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import sys

import harness


def refused(client, op, **args):
    try:
        client.call(op, **args)
    except harness.Refused as refusal:
        return refusal
    raise AssertionError(f'{op} {args} was not refused')


def test_speaks_first_and_answers_pipelined_requests(stage):
    client = stage.crawld().client()
    assert client.hello['server'] == 'crawld' and client.hello['proto'] == 1 and client.hello['max_line'] == 65536
    answers = client.call_many('ping', [{} for _ in range(500)])
    assert all(answer['ok'] for answer in answers)


def test_bad_lines_are_refused_and_close(stage):
    daemon = stage.crawld()
    for line in (b'{"id":1,"op":"ping"', b'[]garbage', b'{"id":1,"id":2,"op":"ping"}', b'\xff{}', b'"\\u0000"', b'[' * 40, b'x' * 70000):
        client = daemon.client()
        client.send_bytes(line + b'\n')
        assert client.read_line()['error']['code'] == 'bad_frame', line[:40]
        try:
            client.read_line()
            raise AssertionError(f'still open after {line[:40]}')
        except (EOFError, ConnectionResetError):
            pass


def test_bad_requests_keep_the_connection(stage):
    client = stage.crawld().client()
    client.send_bytes(b'{"id":"a"}\r\n\r\n[]\n{"id":"b","op":"no.such"}\n')
    codes = [client.read_line()['error']['code'] for _ in range(3)]
    assert codes == ['bad_request', 'bad_request', 'unknown_op'], codes
    client.call('ping')


def test_errors_name_what_is_wrong(stage):
    client = stage.crawld().client()
    assert refused(client, 'job.show', job='none').code == 'not_found'
    for spec in ({'seeds': ['http://a.test/'], 'sedes': 1}, {'seeds': ['http://a.test/'], 'pace': {'delay_ms': 'x'}},
                 {'seeds': ['http://a.test/'], 'request': {'headers': {'Host': 'b'}}}, {'seeds': ['http://a.test/'], 'name': 'UPPER'}):
        refusal = refused(client, 'job.submit', spec=spec)
        assert refusal.code in ('bad_argument', 'unsupported') and refusal.error.get('field'), (spec, refusal.error)
    client.call('job.submit', spec={'name': 'once', 'seeds': ['http://127.0.0.1:9/'], 'keep_open': True, 'pace': {'preset': 'own'}})
    assert refused(client, 'job.submit', spec={'name': 'once', 'seeds': ['http://127.0.0.1:9/'],
                                                'pace': {'preset': 'own'}}).code == 'already_exists'


def test_lists_are_added_in_parts_and_end_with_last(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'name': 'parts', 'pace': {'preset': 'own'}}, more=True)
    urls = [origin.url(f'/{n}') for n in range(2000)]
    parts = [{'job': job, 'urls': urls[i:i + 100]} for i in range(0, len(urls), 100)]
    assert all(a['ok'] for a in daemon.control.call_many('job.add', parts))
    daemon.call('job.add', job=job, urls=[json.dumps('not a url')], last=True)
    counts = daemon.wait_done(job)['counts']
    assert counts['stored'] == 2000 and counts['excluded'] == 1, counts
    [bad] = [row for row in daemon.rows(job) if row['outcome'] == 'excluded']
    assert bad['reason'] == 'bad_url', bad


def test_states_follow_the_verbs(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/delay/30/{n}') for n in range(400)], 'pace': {'preset': 'own', 'in_flight': 4}})
    daemon.call('job.pause', job=job)
    daemon.wait_state(job, 'paused')
    harness.wait_until(lambda: daemon.show(job)['counts']['in_flight'] == 0, 'what was fetched is committed')
    assert daemon.show(job)['counts']['queued'] > 0
    seen = len(origin.ledger().requests)
    daemon.status()
    assert len(origin.ledger().requests) == seen, 'a paused job asks'
    daemon.call('job.resume', job=job)
    daemon.wait_state(job, 'running')
    daemon.call('job.cancel', job=job)
    counts = daemon.wait_state(job, 'cancelled')['counts']
    assert counts['queued'] == counts['in_flight'] == 0 and counts['excluded'] > 0, counts
    assert {row['reason'] for row in daemon.rows(job) if row['outcome'] == 'excluded'} == {'cancelled'}
    daemon.call('job.delete', job=job)
    assert refused(daemon.control, 'job.show', job=job).code == 'not_found'


OWN = {'preset': 'own'}
HELD = {'preset': 'own', 'in_flight': 1}


def error_of(client, line):
    """The error that answers a line."""
    client.send_bytes(line if isinstance(line, bytes) else line.encode() + b'\n')
    answer = client.read_line()
    assert not answer['ok'], answer
    return answer['error']


def is_closed(client):
    try:
        return client.socket.recv(1) == b''
    except ConnectionResetError:
        return True


def rss_kib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmRSS'))


def test_answers_bear_the_ids_of_their_requests(stage):
    client = stage.crawld().client()
    for value in (0, -1, 2 ** 62, 'a', '', 'ü"\\'):
        client.send_bytes(json.dumps({'id': value, 'op': 'ping'}).encode() + b'\n')
        assert client.read_line() == {'id': value, 'ok': True, 'result': {'pong': True}}
    for value in (None, True, 1.5, [], {}):
        error = error_of(client, json.dumps({'id': value, 'op': 'ping'}))
        assert error['code'] == 'bad_request', (value, error)


def test_quick_answers_overtake_those_that_wait_for_the_disk(stage):
    client = stage.crawld().client()
    client.send('job.submit', spec={'name': 'one', 'keep_open': True, 'pace': OWN})
    client.send('ping')
    assert client.read_line()['id'] == 2
    assert client.receive(1)['ok']


def test_every_refusal_names_what_and_where(stage):
    client = stage.crawld().client()
    client.call('job.submit', spec={'name': 'there', 'keep_open': True, 'pace': OWN})
    good = {'seeds': ['http://127.0.0.1:9/'], 'pace': OWN}
    for code, field, op, args in (
            ('unknown_op', 'op', 'job.sho', {}),
            ('unsupported', 'op', 'watch', {}),
            ('bad_argument', 'args.jbo', 'job.show', {'jbo': 'x'}),
            ('bad_argument', 'args.job', 'job.show', {}),
            ('bad_argument', 'args.job', 'job.show', {'job': 1}),
            ('bad_argument', 'args.limit', 'job.list', {'limit': -1}),
            ('bad_argument', 'args.spec', 'job.submit', {'spec': []}),
            ('bad_argument', 'args.spec', 'job.submit', {'spec': {'pace': OWN}}),
            ('bad_argument', 'args.spec.sedes', 'job.submit', {'spec': {**good, 'sedes': 1}}),
            ('bad_argument', 'args.spec.limits.pages', 'job.submit', {'spec': {**good, 'limits': {'pages': 'x'}}}),
            ('unsupported', 'args.spec.recrawl.every_s', 'job.submit', {'spec': {**good, 'recrawl': {'every_s': 5}}}),
            ('already_exists', 'args.spec.name', 'job.submit', {'spec': {**good, 'name': 'there'}}),
            ('not_found', 'args.job', 'job.add', {'job': 'none', 'urls': []}),
            ('bad_argument', 'args.urls[1]', 'job.add', {'job': 'there', 'urls': ['http://a.test/', 5]}),
            ('wrong_state', 'args.job', 'job.resume', {'job': 'there'}),
            ('wrong_state', 'args.job', 'job.delete', {'job': 'there'}),
            ('bad_argument', 'args.outcome', 'results', {'job': 'there', 'outcome': 'sotred'}),
            ('bad_argument', 'args.after', 'results', {'job': 'there', 'after': 10 ** 9})):
        error = refused(client, op, **args).error
        assert (error['code'], error.get('field')) == (code, field) and error['message'], (op, args, error)
    assert 'job.show' in refused(client, 'job.sho').error['hint']
    assert 'seeds' in refused(client, 'job.submit', spec={'pace': OWN}).error['hint']
    assert client.call('job.show', job='there')['counts']['accepted'] == 0, 'a refused add was half taken'


def test_a_line_may_have_64_kib_and_no_byte_more(stage):
    daemon = stage.crawld()
    for size, good in ((65536, True), (65537, False)):
        client = daemon.client()
        head, tail = b'{"id":1,"op":"ping","args":{}', b'}'
        client.send_bytes(head + b' ' * (size - len(head) - len(tail)) + tail + b'\n')
        assert client.read_line()['ok'] is good, size
        assert good or is_closed(client)


def test_a_client_that_has_sent_all_gets_every_answer(stage):
    daemon = stage.crawld()
    client = daemon.client()
    client.send('job.submit', spec={'name': 'half', 'keep_open': True, 'pace': OWN})
    for n in range(100):
        client.send('job.add', job='half', urls=[f'http://127.0.0.1:9/{n}'])
    client.send_bytes(b'{"id":"last","op":"ping"}')  # no newline
    client.socket.shutdown(1)
    assert all(client.receive(n + 1)['ok'] for n in range(101))
    assert client.receive('last')['ok'] and is_closed(client)


def test_those_who_never_read_do_not_hinder_others(stage):
    daemon = stage.crawld()
    daemon.submit({'seeds': [f'http://127.0.0.1:9/{n}' for n in range(500)], 'pace': OWN})
    deaf = [daemon.client() for _ in range(20)]
    for client in deaf:
        client.socket.setblocking(False)
        for _ in range(100):
            try:
                client.send_bytes(b'{"id":1,"op":"job.list"}\n{"id":1,"op":"stats"}\n' * 500)
            except BlockingIOError:
                break
    assert all(answer['ok'] for answer in daemon.control.call_many('ping', [{}] * 200))


def test_floods_leave_no_memory_behind(stage):
    daemon = stage.crawld()
    pid = daemon.process.pid
    client = daemon.client()
    for _ in range(3):
        client.call_many('ping', [{}] * 1000)
    before = rss_kib(pid)
    for _ in range(10):
        client.send_bytes(b'{"id":1}\n' * 1000)
        assert all(client.read_line()['error']['code'] == 'bad_request' for _ in range(1000))
    for _ in range(300):
        bad = daemon.client()
        bad.send_bytes(b'}\n')
        bad.read_line()
        bad.close()
    endless, sent = daemon.client(), 0
    try:
        while sent < 1 << 30:
            sent += endless.socket.send(b'x' * (1 << 20))
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert sent < 64 << 20, 'an endless line is read'
    client.call('ping')
    slack = 65536 if 'build-test' in harness.build_dir() else 8192  # the sanitizer keeps what is freed
    assert rss_kib(pid) - before <= slack, (before, rss_kib(pid))


def test_the_longest_idle_client_makes_room(stage):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4200:
        raise harness.Skip('too few descriptors')
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    daemon = stage.crawld()
    first = daemon.client()
    others = [daemon.client() for _ in range(2046)]  # and the stage's own
    daemon.call('ping')
    first.call('ping')
    more = [daemon.client() for _ in range(50)]
    assert is_closed(others[0]) and is_closed(others[49])
    for client in (first, others[50], others[-1], more[0], more[-1], daemon.control):
        client.call('ping')


def test_a_line_must_be_whole_within_10_s(stage):
    daemon = stage.crawld()
    slow, idle = daemon.client(), daemon.client()
    slow.send_bytes(b'{"id":1,')
    slow.socket.settimeout(20)
    assert is_closed(slow)
    idle.call('ping')


def with_ids(user, group, groups, work):
    """What work() returns, as text, in a child of that user."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups(groups)
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
            os.write(writer, str(work()).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def test_levels_follow_the_peer(stage):
    if os.geteuid():
        raise harness.Skip('not root')
    users = {name: pwd.getpwnam(name) for name in ('daemon', 'games', 'nobody')}
    group = grp.getgrnam('mail')
    config = 'admins = {"root"}\noperators = {"games"}\nreaders = {"@mail"}\n'
    daemon = stage.crawld(config=config)
    os.chmod(stage.dir, 0o755)
    os.chmod(daemon.socket_path, 0o666)

    def say():
        told = []
        client = harness.Client(daemon.socket_path, 10)
        told.append(client.hello['level'])
        for op, args in (('ping', {}), ('job.submit', {'spec': {'pace': {'preset': 'own', 'robots': 'ignore'}, 'seeds': ['http://127.0.0.1:9/']}}),
                         ('stop', {})):
            try:
                client.call(op, **args)
                told.append('ok')
            except harness.Refused as refusal:
                told.append(refusal.code)
            except (EOFError, OSError):
                told.append('closed')
        return ' '.join(told)
    assert with_ids(users['nobody'].pw_uid, 65534, [], say) == 'none closed closed closed'
    assert with_ids(users['nobody'].pw_uid, 65534, [group.gr_gid], say) == 'read ok denied denied'
    assert with_ids(users['daemon'].pw_uid, group.gr_gid, [], say) == 'read ok denied denied'
    # games operates, but only admins may ignore robots.txt
    assert with_ids(users['games'].pw_uid, 60, [], say) == 'operate ok denied denied'
    assert with_ids(0, 0, [], say) == 'admin ok ok ok'


def test_an_upload_that_is_cut_is_held_until_resumed_or_completed(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = [origin.url(f'/{n}') for n in range(30)]
    for how in ('resume', 'rest'):
        client = daemon.client()
        client.call('job.submit', spec={'name': how, 'pace': OWN}, more=True)
        client.call('job.add', job=how, urls=urls[:10])
        client.close()
        shown = daemon.wait_state(how, 'paused')
        assert shown['why'] == 'input_cut', shown
    daemon.call('job.resume', job='resume')
    assert daemon.wait_done('resume')['counts']['stored'] == 10
    daemon.call('job.add', job='rest', urls=urls, last=True)
    counts = daemon.wait_done('rest')['counts']
    assert (counts['stored'], counts['duplicates']) == (30, 10), counts


def test_what_is_over_takes_no_more(stage):
    origin, daemon = stage.origin(), stage.crawld()
    done = daemon.submit({'name': 'done', 'seeds': [origin.url('/1')], 'pace': OWN})
    daemon.wait_done(done)
    daemon.submit({'name': 'gone', 'seeds': [origin.url('/delay/100/1')], 'keep_open': True, 'pace': OWN})
    daemon.call('job.cancel', job='gone')
    daemon.wait_state('gone', 'cancelled')
    daemon.submit({'name': 'ended', 'seeds': [origin.url('/delay/2000/1')], 'keep_open': True, 'pace': OWN})
    daemon.call('job.finish', job='ended')
    for job in ('done', 'gone', 'ended'):
        refusal = refused(daemon.control, 'job.add', job=job, urls=[origin.url('/2')])
        assert refusal.code == 'wrong_state' and refusal.error['hint'], (job, refusal.error)
    daemon.wait_done('ended')


def test_jobs_come_in_pages(stage):
    client = stage.crawld().client()
    names = [f'j{n:02}' for n in range(25)]
    for name in names:
        client.call('job.submit', spec={'name': name, 'keep_open': True, 'pace': OWN})
    seen, after = [], None
    while True:
        page = client.call('job.list', limit=10, **({'after': after} if after else {}))
        seen += [item['name'] for item in page['items']]
        after = page['next']
        if not after:
            break
    assert seen == names


def test_results_show_committed_rows_once_while_the_job_runs(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = [origin.url(f'/status/404/{n}' if n % 10 == 0 else f'/delay/20/{n}') for n in range(600)]
    job = daemon.submit({'pace': {'preset': 'own', 'in_flight': 20}, 'keep': {'status': [200]}}, more=True)
    daemon.call('job.add', job=job, urls=urls, last=True)
    rows, dropped, after, after_dropped = [], [], 0, 0
    state = None
    while True:
        over = state == 'done'
        page = daemon.call('results', job=job, after=after, limit=50)
        rows, after = rows + page['items'], page['next']
        shown = daemon.show(job)
        assert after <= shown['committed_bytes']
        page = daemon.call('results', job=job, after=after_dropped, limit=50, outcome='dropped')
        dropped, after_dropped = dropped + page['items'], page['next']
        if over and after == after_dropped == shown['committed_bytes']:
            break
        state = shown['state']
    assert [row['seq'] for row in rows] == [row['seq'] for row in daemon.rows(job)]
    assert len(dropped) == daemon.show(job)['counts']['dropped'] == 60


def test_limits_are_kept(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = [origin.url(f'/delay/50/{n}') for n in range(200)]
    pages = daemon.submit({'name': 'pages', 'seeds': urls, 'limits': {'pages': 20}, 'pace': {'preset': 'own', 'in_flight': 7}})
    counts = daemon.wait_done(pages)['counts']
    assert counts['stored'] == 20 and counts['excluded'] == 180, counts
    assert origin.ledger() and sum(t.startswith('/delay/50/') for t in origin.ledger().targets()) == 20
    seconds = daemon.submit({'name': 'seconds', 'seeds': urls, 'limits': {'seconds': 2}, 'pace': {'preset': 'own', 'in_flight': 1}})
    counts = daemon.wait_done(seconds)['counts']
    assert 0 < counts['stored'] < 200 and counts['stored'] + counts['excluded'] == 200, counts


def test_bad_lines_of_a_list_are_rows_with_their_numbers(stage):
    origin, daemon = stage.origin(), stage.crawld()
    lines = [origin.url('/1').encode(), b'', b'no url', b'\xff\xfe', b'http://' + b'x' * 100000 + b'/', b'', b'',
             b'nul\x00byte', origin.url('/2').encode(), b'also none']
    path = stage.write('list', b'\r\n'.join(lines) + b'\r\n')
    done = daemon.ctl('submit', '--name', 'list', '-i', path, '--pace', 'own', '--wait')
    assert '5 bad' in done.stderr, done.stderr
    rows = daemon.rows('list')
    bad = sorted(int(row['detail'].split(':')[0].split()[1]) for row in rows if row.get('reason') == 'bad_url')
    assert bad == [3, 4, 5, 8, 10], rows
    assert sum(row['outcome'] == 'stored' for row in rows) == 2


def test_a_missing_list_makes_no_job(stage):
    daemon = stage.crawld()
    done = daemon.ctl('submit', '--name', 'x', '-i', stage.path('none'), '--pace', 'own', check=False)
    assert done.returncode not in (0, 2) and 'none' in done.stderr, done
    assert daemon.call('job.list')['items'] == [] or refused(daemon.control, 'job.submit', spec={'name': 'x'})


def test_a_socket_that_is_taken_is_left_alone(stage):
    daemon = stage.crawld()
    second = harness.Crawld(stage, name='second')
    second.socket_path = daemon.socket_path
    second.start(ready=False)
    assert second.process.wait() == 1 and 'another daemon' in second.log()
    daemon.call('ping')
    third = harness.Crawld(stage, name='third')
    stage.write('third.sock', 'precious')
    third.start(ready=False)
    assert third.process.wait() == 1 and 'third.sock' in third.log()
    assert open(third.socket_path, encoding='ascii').read() == 'precious'
    fourth = harness.Crawld(stage, name='fourth')
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(fourth.socket_path)
    fourth.start()
    fourth.call('ping')
    assert fourth.stop() == 0 and not os.path.exists(fourth.socket_path)


def test_words_are_uploaded_before_the_job_begins(stage):
    origin, daemon = stage.origin(), stage.crawld()
    client = daemon.client()
    spec = {'name': 'wordy', 'template': origin.url('/{w}'), 'words': {'w': {'upload': True}}, 'pace': OWN}
    assert refused(client, 'job.submit', spec=spec).error['field'] == 'args.more'
    client.call('job.submit', spec=spec, more=True)
    assert refused(daemon.control, 'job.words', job='wordy', name='w', words=['x']).code == 'not_found'
    assert refused(client, 'job.words', job='wordy', name='v', words=['x']).error['field'] == 'args.name'
    assert refused(client, 'job.words', job='wordy', name='w', words=[1]).code == 'bad_argument'
    for n in range(3):
        client.call('job.words', job='wordy', name='w', words=[f'{n}-{k}' for k in range(100)])
    client.call('job.add', job='wordy', urls=[], last=True)
    assert daemon.wait_done('wordy')['counts']['stored'] == 300
    gone = daemon.client()
    gone.call('job.submit', spec={**spec, 'name': 'gone'}, more=True)
    gone.close()
    harness.wait_until(lambda: all(j['name'] != 'gone' for j in daemon.call('job.list')['items']), 'a draft goes with its client')
    daemon.call('job.submit', spec={'name': 'gone', 'keep_open': True, 'pace': OWN})


def test_a_deletion_goes_on_without_its_asker(stage):
    daemon = stage.crawld()
    for n in range(20):
        daemon.submit({'name': f'd{n}', 'seeds': ['nothing'], 'pace': OWN})
        daemon.wait_done(f'd{n}')
        with harness.Client(daemon.socket_path) as client:
            client.send('job.delete', job=f'd{n}')
    harness.wait_until(lambda: not daemon.call('job.list')['items'], 'all are deleted')
    daemon.submit({'name': 'd0', 'seeds': ['nothing'], 'pace': OWN})


class Manager:
    """Stands in for systemd's notification socket."""

    def __init__(self, stage):
        self.path, self.heard = stage.path('notify.sock'), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        stage.closers.append(self.socket.close)

    def has_heard(self, word):
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            pass
        return any(word in text for text in self.heard)


def test_the_service_manager_hears_of_start_work_and_end(stage):
    manager = Manager(stage)
    origin = stage.origin()
    daemon = stage.crawld(env={'NOTIFY_SOCKET': manager.path})
    harness.wait_until(lambda: manager.has_heard('READY=1'), 'READY')
    daemon.submit({'seeds': [origin.url('/delay/1500/1')], 'pace': OWN})
    harness.wait_until(lambda: manager.has_heard('STATUS=1 jobs'), 'STATUS with the job', 30)
    daemon.submit({'seeds': [origin.url('/delay/1500/1')], 'pace': OWN})
    harness.wait_until(lambda: daemon.status()['counts']['in_flight'], 'it is fetched')
    assert daemon.stop() == 0
    assert manager.has_heard('STOPPING=1') and manager.has_heard('EXTEND_TIMEOUT_USEC='), manager.heard


def test_an_inherited_socket_is_used_and_left_behind(stage):
    daemon = harness.Crawld(stage)
    listener = socket.socket(socket.AF_UNIX)
    path = stage.path('inherited.sock')
    listener.bind(path)
    listener.listen()
    stage.closers.append(listener.close)
    script = ('import os, sys; os.dup2(int(sys.argv[1]), 3); '
              'os.execve(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})')
    number = listener.fileno()
    process = harness.Process(stage, 'activated', [sys.executable, '-c', script, str(number), *daemon.command()],
                              pass_fds=(number,))
    client = harness.Client(path)
    client.call('ping')
    process.signal(signal.SIGTERM)
    assert process.wait() == 0 and os.path.exists(path)


FILE_CALLS = '%file,fsync,fdatasync,pread64,pwrite64,ftruncate,fallocate,flock,getdents64'


def is_traced(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return 'TracerPid:\t0\n' not in file.read()


def test_the_loop_makes_no_file_call(stage):
    if not shutil.which('strace'):
        raise harness.Skip('no strace')
    origin, daemon = stage.origin(), stage.crawld()
    trace = stage.path('trace')
    tracer = harness.Process(stage, 'strace', ['strace', '-qq', '-o', trace, '-e', f'trace={FILE_CALLS}', '-p', str(daemon.process.pid)])
    harness.wait_until(lambda: not tracer.alive() or is_traced(daemon.process.pid), 'strace is there or has given up')
    if not tracer.alive():
        raise harness.Skip('strace may not attach')
    job = daemon.submit({'seeds': [origin.url(f'/{n}') for n in range(200)] + ['bad'], 'pace': OWN, 'keep_open': True})
    daemon.call('job.pause', job=job)
    daemon.call('job.resume', job=job)
    daemon.call('job.add', job=job, urls=[origin.url(f'/x{n}') for n in range(500)], last=True)
    daemon.call('job.finish', job=job)
    daemon.wait_done(job)
    daemon.call('results', job=job)
    daemon.call('stats')
    daemon.call('job.delete', job=job)
    tracer.signal(signal.SIGINT)
    tracer.wait()
    with open(trace, encoding='utf-8', errors='replace') as file:
        calls = [line for line in file if '(' in line and '"/proc/' not in line]
    assert not calls, calls[:10]
