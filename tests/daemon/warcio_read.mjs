// SPDX-License-Identifier: MIT
// What npm's warcio reads in WARC files: a JSON line per record.
//
//     node warcio_read.mjs FOLDER FILE...       FOLDER has node_modules/warcio
//
// Each file is read three times: blocks as they lie there; HTTP messages as warcio takes them apart; and messages
// whose head is read with its line reader. Of a payload warcio takes the chunks off, the content coding stays on.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, resolve } from 'node:path';

const [folder, ...files] = process.argv.slice(2);
const { WARCParser, AsyncIterReader } = createRequire(resolve(folder, 'x.js'))('warcio');
const sha1 = (bytes) => createHash('sha1').update(bytes).digest('hex');

async function blocks(path) {
    const parser = new WARCParser(createReadStream(path), { parseHttp: false, keepHeadersCase: true });
    const found = [];
    for await (const record of parser) {
        const block = await record.readFully();
        found.push({ offset: parser.offset, length: parser.recordLength, version: record.warcHeaders.statusline,
                     headers: Object.fromEntries(record.warcHeaders.headers), block: sha1(block), block_bytes: block.length });
    }
    return found;
}

async function messages(path) {
    const found = [];
    for await (const record of new WARCParser(createReadStream(path))) {
        const http = record.httpHeaders;
        const chunked = http?.headers.get('Transfer-Encoding') === 'chunked';
        const payload = await new AsyncIterReader(record.reader, null, chunked).readFully();
        found.push({ id: record.warcHeader('WARC-Record-ID'), first_line: http?.statusline, payload: sha1(payload), payload_bytes: payload.length,
                     fields: http && Object.fromEntries(http.headers) });
    }
    return found;
}

async function byLines(path) {
    const found = [];
    for await (const record of new WARCParser(createReadStream(path), { parseHttp: false })) {
        let line, chunked = false;
        while ((line = await record.readline()).trim())
            chunked ||= /^transfer-encoding: chunked\s*$/i.test(line);
        found.push(sha1(await new AsyncIterReader(record.reader, null, chunked).readFully()));
    }
    return found;
}

for (const path of files) {
    const parts = await messages(path), payloads = await byLines(path);
    for (const [n, record] of (await blocks(path)).entries())
        console.log(JSON.stringify({ file: basename(path), ...record, http: parts[n], payload_by_lines: payloads[n] }));
}
