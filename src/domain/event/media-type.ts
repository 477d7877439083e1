/** Properties of media types (RFC 9110, section 8.3; RFC 6839 for suffixes). */

/** RFC 2045 type/subtype with parameters, in visible ASCII. */
export const MEDIA_TYPE_PATTERN =
  '^[\\w!#$&^.+-]{1,100}/[\\w!#$&^.+-]{1,100}(\\s*;[\\x20-\\x7e]{0,200})?$';

const UTF_8 = new Set(['utf-8', 'utf8']);
/** A subset of UTF-8. */
const ASCII = new Set(['us-ascii', 'ascii']);
const PARAMETER = /;\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)/g;

/** Types that are text although outside `text/` and without `+xml`, in lower case. */
const TEXT_TYPES = new Set([
  'application/csv',
  'application/ecmascript',
  'application/graphql',
  'application/javascript',
  'application/json-seq',
  'application/jsonl',
  'application/sql',
  'application/toml',
  'application/x-javascript',
  'application/x-ndjson',
  'application/x-www-form-urlencoded',
  'application/x-yaml',
  'application/xml',
  'application/xml-dtd',
  'application/xml-external-parsed-entity',
  'application/yaml',
]);

/** The type and subtype in lower case, without parameters; empty if there is none. */
export function essenceOf(mediaType: string): string {
  const end = mediaType.indexOf(';');
  return (end < 0 ? mediaType : mediaType.slice(0, end)).trim().toLowerCase();
}

/** Whether it is JSON, but not a sequence of JSON texts (CloudEvents JSON format, 3.1.1). */
export function isJsonType(mediaType: string): boolean {
  return /[/+]json$/.test(essenceOf(mediaType));
}

/** Whether its bytes are text, and UTF-8 by its charset: absent, UTF-8 or US-ASCII. */
export function isTextType(mediaType: string): boolean {
  const essence = essenceOf(mediaType);
  const isText =
    essence.startsWith('text/') ||
    TEXT_TYPES.has(essence) ||
    /\+(xml|yaml|json-seq)$/.test(essence);
  return isText && isUtf8Charset(mediaType);
}

/** Whether bytes of this media type are valid as UTF-8; false if it names two charsets. */
export function isUtf8Charset(mediaType: string): boolean {
  return charsetsOf(mediaType).every((charset) => UTF_8.has(charset) || ASCII.has(charset));
}

/** Whether text may be written in UTF-8 under this media type. */
export function isWritableAsUtf8(mediaType: string, text: string): boolean {
  return charsetsOf(mediaType).every(
    // oxlint-disable-next-line no-control-regex -- the whole of ASCII is meant
    (charset) => UTF_8.has(charset) || (ASCII.has(charset) && /^[\u0000-\u007f]*$/.test(text)),
  );
}

/** The values of every `charset` parameter, in lower case. */
function charsetsOf(mediaType: string): string[] {
  // Most media types name none: parse parameters only if one may be present.
  if (!/charset/i.test(mediaType)) return [];
  return [...mediaType.matchAll(PARAMETER)]
    .filter(([, name]) => name?.toLowerCase() === 'charset')
    .map(([, , value = '']) => unquote(value.trim()).toLowerCase());
}

/** The content of a quoted string (RFC 9110, section 5.6.4); other text unchanged. */
export function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
}
