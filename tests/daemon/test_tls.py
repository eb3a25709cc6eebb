# SPDX-License-Identifier: MIT
"""https against nginx with certificates of our own authority."""
import harness

OWN = {'preset': 'own'}


def crawl(daemon, urls, **spec):
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, **spec})
    daemon.wait_done(job)
    return job, {row['url']: row for row in daemon.check_pages(job)}


def counter(daemon, name):
    return daemon.call('stats')['counters'][name]


def test_an_https_page_is_fetched_and_told_of(stage):
    ca = stage.ca()
    nginx = stage.nginx(tls=ca.issue('127.0.0.1'), files={'a.html': 'hello'})
    daemon = stage.crawld(settings={'ca_file': ca.path})
    job, rows = crawl(daemon, [nginx.url('/a.html')])
    row = rows[nginx.url('/a.html')]
    assert row['outcome'] == 'stored' and row['status'] == 200 and row['tls']['verified'], row
    assert 'tls' in row['ms'], row
    for record in daemon.warc_records(job):
        if record.type in ('request', 'response'):
            assert record.header('WARC-Protocol') == 'tls/' + row['tls']['version'], record.headers
            assert record.header('WARC-Cipher-Suite') == row['tls']['cipher'], record.headers
    assert counter(daemon, 'tls_full') == 1, daemon.call('stats')['counters']
