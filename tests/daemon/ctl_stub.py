# SPDX-License-Identifier: MIT
"""A daemon's control socket played by a script, so that crawlctl's side of the protocol can be tried alone:
slow, out of order, wrong, hanging up.

    stub = Stub(stage, {'ping': {}, 'job.show': lambda args: {...}})
    done = stub.ctl('ping')

An answer is a result, a Refusal, a function of the args that gives one, or None (no answer at all). What was
asked stands in stub.requests."""
import json
import os
import select
import socket
import threading

import harness

HELLO = {'server': 'crawld', 'version': '9.9.9', 'proto': 1, 'pid': 1, 'level': 'admin', 'max_line': 65536}
COUNTS = {'accepted': 0, 'queued': 0, 'in_flight': 0, 'stored': 0, 'dropped': 0, 'failed': 0, 'excluded': 0,
          'duplicates': 0}


class Refusal:
    """An error as answer."""

    def __init__(self, code, message='no', hint=None, field=None):
        self.error = {'code': code, 'message': message}
        if hint:
            self.error['hint'] = hint
        if field:
            self.error['field'] = field


def job(name='a', state='running', **counts):
    counts = {**COUNTS, **counts}
    counts['accepted'] = sum(counts[k] for k in COUNTS if k not in ('accepted', 'duplicates'))
    return {'name': name, 'state': state, 'why': '', 'counts': counts}


class Stub:
    """One listening socket; every connection is served by a thread.

    hello: bytes or object sent first. gather: nothing is answered before no more requests come, and then the
    last one first. hang_up_after: requests after which the connection is closed without a reply."""

    def __init__(self, stage, answers, hello=None, gather=False, hang_up_after=None):
        self.path = stage.path('stub.sock')
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.answers, self.gather, self.hang_up_after = answers, gather, hang_up_after
        self.hello = hello if isinstance(hello, bytes) else json.dumps({'hello': hello or HELLO}).encode() + b'\n'
        self.requests, self.longest_line, self.most_outstanding, self.connections = [], 0, 0, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()
        stage.closers.append(self.listener.close)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.sendall(self.hello)
            waiting, data = [], b''
            while part := connection.recv(1 << 20):
                data += part
                *lines, data = data.split(b'\n')
                waiting += lines
                self.most_outstanding = max(self.most_outstanding, len(waiting))
                if self.gather and select.select([connection], [], [], 0.2)[0]:
                    continue
                for line in reversed(waiting) if self.gather else waiting:
                    if not self.reply(connection, line):
                        connection.close()
                        return
                waiting = []
        except OSError:
            pass

    def reply(self, connection, line):
        self.longest_line = max(self.longest_line, len(line) + 1)
        request = json.loads(line)
        self.requests.append(request)
        if self.hang_up_after is not None and len(self.requests) > self.hang_up_after:
            return False
        answer = self.answers.get(request['op'], Refusal('unknown_op', request['op']))
        if callable(answer):
            answer = answer(request['args'])
        if isinstance(answer, Refusal):
            message = {'id': request['id'], 'ok': False, 'error': answer.error}
        else:
            message = {'id': request['id'], 'ok': True, 'result': answer}
        if answer is not None:
            connection.sendall(json.dumps(message).encode() + b'\n')
        return True

    def asked(self, op):
        """The args of every request of that op, in order."""
        return [r['args'] for r in self.requests if r['op'] == op]

    def ctl(self, *arguments, **options):
        """crawlctl on this socket; the exit code is the caller's to look at."""
        return harness.crawlctl('-s', self.path, *arguments, check=False, **options)
