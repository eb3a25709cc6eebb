#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The script many people write: multiprocessing, gevent and requests over a list of URLs.

usage: gevent_script.py LIST OUT-DIR PROCESSES GREENLETS

Each process takes its share of the list and keeps bodies and one JSON line per URL in a pair of files. Prints how
many answers came with status 200.
"""
from gevent import monkey
monkey.patch_all()  # before anything imports sockets

import json  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402

import gevent.pool  # noqa: E402
import requests  # noqa: E402


def fetch_share(urls, folder, number, greenlets, results):
    session = requests.Session()
    session.trust_env = False
    session.mount('http://', requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=greenlets))
    good = 0
    with open(os.path.join(folder, f'{number}.body'), 'wb') as bodies, open(os.path.join(folder, f'{number}.jsonl'), 'w') as rows:
        def fetch(url):
            nonlocal good
            try:
                answer = session.get(url, timeout=60)
            except requests.RequestException as error:
                rows.write(json.dumps({'url': url, 'error': str(error)}) + '\n')
                return
            bodies.write(answer.content)
            rows.write(json.dumps({'url': url, 'status': answer.status_code, 'bytes': len(answer.content)}) + '\n')
            good += answer.status_code == 200

        pool = gevent.pool.Pool(greenlets)
        for url in urls:
            pool.spawn(fetch, url)
        pool.join()
    results.put(good)


def main():
    listed, folder, processes, greenlets = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(listed, encoding='utf-8') as file:
        urls = file.read().split()
    results = multiprocessing.Queue()
    shares = [multiprocessing.Process(target=fetch_share, args=(urls[i::processes], folder, i, max(1, greenlets // processes), results))
              for i in range(processes)]
    for share in shares:
        share.start()
    print(sum(results.get() for _ in shares))
    for share in shares:
        share.join()


if __name__ == '__main__':
    main()
