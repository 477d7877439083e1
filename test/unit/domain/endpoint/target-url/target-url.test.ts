import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';

/** The normal form, or the fault. */
function read(text: string): string {
  const parsed = parseTargetUrl(text);
  return parsed.ok ? parsed.url.href : parsed.fault;
}

const LABEL_63 = 'a'.repeat(63);
const NAME_253 = [LABEL_63, LABEL_63, LABEL_63, 'a'.repeat(61)].join('.');

const normal: [text: string, href: string][] = [
  ['HTTPS://Example.COM:443', 'https://example.com/'],
  ['http://example.com:80/', 'http://example.com/'],
  ['https://example.com:0444/', 'https://example.com:444/'],
  ['https://example.com:/p', 'https://example.com/p'],
  ['https://example.com.', 'https://example.com/'],
  ['http://localhost.:8080/p', 'http://localhost:8080/p'],
  ['https://h/p?', 'https://h/p?'],
  ['https://h?', 'https://h/?'],
  ['https://h/p?a=1&b=%20?', 'https://h/p?a=1&b=%20?'],
  ['https://h/a b', 'https://h/a%20b'],
  ['https://h/a/../b/./c', 'https://h/b/c'],
  ['https://h/p?a=\\b', 'https://h/p?a=\\b'],
  ['https://Bücher.example/', 'https://xn--bcher-kva.example/'],
  ['https://ＥＸ.example/', 'https://ex.example/'],
  ['https://ex%61mple.com/', 'https://example.com/'],
  ['https://127.1/', 'https://127.0.0.1/'],
  ['https://0x7f000001/', 'https://127.0.0.1/'],
  ['https://2130706433/', 'https://127.0.0.1/'],
  ['https://017700000001/', 'https://127.0.0.1/'],
  ['https://127.0.0.1./', 'https://127.0.0.1/'],
  ['https://[0:0:0:0:0:0:0:1]:443/', 'https://[::1]/'],
  ['https://[::FFFF:127.0.0.1]/', 'https://[::ffff:7f00:1]/'],
  [`https://${NAME_253}/`, `https://${NAME_253}/`],
  [`https://${NAME_253}./`, `https://${NAME_253}/`],
  ['https://a_b.example/', 'https://a_b.example/'],
];
for (const [text, href] of normal) {
  test(`the normal form of ${text.slice(0, 60)} is ${href.slice(0, 60)}`, () => {
    assert.equal(read(text), href);
  });
}

const CONTROL = 'must not hold control characters, nor begin or end with a space';
const CREDENTIALS = 'must not hold credentials; send them in a header';
const EMPTY_LABEL = 'has a host name with an empty label (two dots in a row)';
const NO_HOST = 'is not a URL: must begin with https:// and a host';
const refused: [text: string, fault: string][] = [
  ['', 'is not a URL'],
  ['example.com', 'is not a URL'],
  ['https://', 'is not a URL'],
  ['https://[fe80::1%25eth0]/', 'is not a URL'],
  ['https://[fe80::1%eth0]/', 'is not a URL'],
  ['https://a%00b/', 'is not a URL'],
  ['https://1.2.3.256/', 'is not a URL'],
  ['ftp://example.com/', 'must be https'],
  ['https:example.com', NO_HOST],
  ['https:/example.com', NO_HOST],
  ['https:///example.com', NO_HOST],
  ['https:\\\\example.com', NO_HOST],
  ['https://example.com\\@evil.example/', 'must not hold a backslash'],
  ['https://example.com/a\\b', 'must not hold a backslash'],
  ['https://user@example.com/', CREDENTIALS],
  ['https://:@example.com/', CREDENTIALS],
  ['https://@example.com/', CREDENTIALS],
  ['https://example.com/#', 'must not have a fragment'],
  ['https://exa\tmple.com/', CONTROL],
  ['https://example.com/\n', CONTROL],
  [' https://example.com/', CONTROL],
  ['https://example.com/ ', CONTROL],
  ['https://a..b/', EMPTY_LABEL],
  ['https://a../', EMPTY_LABEL],
  ['https://.a/', EMPTY_LABEL],
  ['https://./', EMPTY_LABEL],
  ['https://a%2e%2eb/', EMPTY_LABEL],
  [`https://${LABEL_63}a.example/`, 'has a host name with a label of more than 63 characters'],
  [`https://a${NAME_253}/`, 'has a host name with a label of more than 63 characters'],
  [`https://a.${NAME_253}/`, 'has a host name of more than 253 characters'],
  [`https://${'ü'.repeat(60)}.example/`, 'has a host name with a label of more than 63 characters'],
  ['https://example.com:0/', 'has port 0, which no server can listen on'],
  [`https://example.com/${'a'.repeat(2048)}`, 'is longer than 2048 characters'],
];
for (const [text, fault] of refused) {
  test(`rejects ${JSON.stringify(text.slice(0, 60))} with "${fault}"`, () => {
    assert.equal(read(text), fault);
  });
}

test('the parts of a URL make up its normal form, which is read as itself', () => {
  const part = fc.stringMatching(/^[a-zA-Z0-9._~%?&=/:[\]@\\ -]{0,30}$/);
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4Extended(),
    fc.ipV6().map((ip) => `[${ip}]`),
    part,
  );
  fc.assert(
    fc.property(
      fc.constantFrom('http', 'HTTPS'),
      host,
      fc.boolean(),
      part,
      (scheme, name, dot, rest) => {
        const parsed = parseTargetUrl(`${scheme}://${name}${dot ? '.' : ''}/${rest}`);
        if (!parsed.ok) return;
        const { url } = parsed;
        assert.equal(url.origin + url.path, url.href);
        assert.deepEqual(parseTargetUrl(url.href), parsed);
        const again = new URL(url.origin);
        assert.equal(again.hostname.replace(/^\[|\]$/g, ''), url.hostname);
        assert.equal(Number(again.port || (again.protocol === 'https:' ? 443 : 80)), url.port);
        assert.doesNotMatch(url.hostname, /\.$|\.\.|[@\\]/);
      },
    ),
    { numRuns: 2000 },
  );
});
