# SPDX-License-Identifier: MIT
"""crawld and its peers: how each is told to fetch a list of URLs, and how many it fetched.

A tool has a name, `scale` (how many times the list it gets, since a fast one must run long enough to be measured),
`saves` (whether pages end on disk), and
    command(job)        the argument list
    pages(job, cost)    pages fetched, counted in what it left behind
where job is Job below.
"""
import glob
import os
import re
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))


class Job:
    """One run: the list of URLs, an empty directory, and how many fetches may be under way."""

    def __init__(self, urls, folder, in_flight, build, seconds):
        self.urls, self.folder, self.in_flight, self.build, self.seconds = urls, folder, in_flight, build, seconds
        self.list_path = folder + '.urls'
        with open(self.list_path, 'w', encoding='utf-8') as file:
            file.writelines(url + '\n' for url in urls)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.unlink(self.list_path)


class Tool:
    name, scale, saves, program = '', 1, True, None
    most_in_flight = None   # the tool's own limit

    def available(self, build):
        return shutil.which(self.program) is not None

    def pages(self, job, cost):
        return sum(1 for _ in os.scandir(job.folder))


class Wrk(Tool):
    """The limit: parses and saves nothing, asks for one URL over and over."""
    name, program, saves = 'wrk', 'wrk', False

    def command(self, job):
        return ['wrk', '-t1', f'-c{job.in_flight}', f'-d{job.seconds}s', '--timeout', '30s', job.urls[0]]

    def pages(self, job, cost):
        match = re.search(r'(\d+) requests in', cost.output)
        return int(match[1]) if match else 0


class Curl(Tool):
    name, program, most_in_flight = 'curl --parallel', 'curl', 300

    def command(self, job):
        config = job.list_path + '.curl'
        with open(config, 'w', encoding='utf-8') as file:
            file.writelines(f'url = "{url}"\n' for url in job.urls)
        return ['curl', '-s', '--parallel', '--parallel-max', str(min(job.in_flight, 300)), '--remote-name-all',
                '--output-dir', job.folder, '-K', config]

    def pages(self, job, cost):
        os.unlink(job.list_path + '.curl')
        return super().pages(job, cost)


class Wget2(Tool):
    name, program, most_in_flight = 'wget2', 'wget2', 100

    def command(self, job):
        return ['wget2', '-q', '-i', job.list_path, '-P', job.folder, f'--max-threads={min(job.in_flight, 100)}',
                '--robots=off', '--no-hsts', '--no-cookies', '--tries=1']


class Aria2(Tool):
    name, program, most_in_flight = 'aria2', 'aria2c', 100

    def command(self, job):
        return ['aria2c', '-q', '--no-conf', '-i', job.list_path, '-d', job.folder, f'-j{min(job.in_flight, 100)}', '-x1', '-s1',
                '--file-allocation=none', '--summary-interval=0']


class Gevent(Tool):
    """Debian's Python, whatever else is installed."""
    name = 'gevent + requests'

    def available(self, build):
        return os.access('/usr/bin/python3', os.X_OK) and os.path.isdir('/usr/lib/python3/dist-packages/gevent')

    def command(self, job):
        return ['/usr/bin/python3', os.path.join(HERE, 'gevent_script.py'), job.list_path, job.folder,
                '2' if job.in_flight <= 2000 else '4', str(job.in_flight)]

    def pages(self, job, cost):
        return int(cost.output or 0)


class Crawld(Tool):
    """The whole of it: a private daemon, rows, WARC, journal; the CPU of all its processes and of crawlctl."""
    scale = 10

    def __init__(self, compress):
        self.compress, self.name = compress, f'crawld, {compress}'

    def available(self, build):
        return os.access(os.path.join(build, 'ctl', 'crawlctl'), os.X_OK)

    def command(self, job):
        spec = os.path.join(job.folder, 'spec.json')
        with open(spec, 'w', encoding='utf-8') as file:
            file.write('{"name":"bench","pace":{"preset":"own","in_flight":%d},"dedup":false,'
                       '"store":{"compress":"%s"},"timeouts":{"total_ms":60000}}\n' % (job.in_flight, self.compress))
        return [os.path.join(job.build, 'ctl', 'crawlctl'), 'run', '--allow-cidr', '127.0.0.0/8', '--spec', spec, '-i', job.list_path,
                '--out', os.path.join(job.folder, 'out')]

    def pages(self, job, cost):
        count = 0
        for path in glob.glob(os.path.join(job.folder, '**', 'results.jsonl'), recursive=True):
            with open(path, 'rb') as file:
                count += sum(b'"outcome":"stored"' in line for line in file)
        return count


def all_tools():
    return [Wrk(), Crawld('none'), Crawld('gzip'), Curl(), Wget2(), Aria2(), Gevent()]
