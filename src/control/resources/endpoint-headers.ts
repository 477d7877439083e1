import { type FieldError, PosthornError } from '#domain/errors.ts';
import { duplicateKey } from '#domain/field-faults.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';

/** RFC 9110, section 5.6.2 */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** RFC 9110, section 5.5, without the bytes over 127, which receivers decode differently. */
const VALUE = /^[\t\x20-\x7e]*$/;

/**
 * Headers of the connection (RFC 9110, section 7.6.1), of the message framing, and of the platform.
 */
const RESERVED = new Set([
  'connection',
  'date',
  'expect',
  'host',
  'keep-alive',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
const RESERVED_PREFIXES = ['webhook-', 'content-', 'proxy-', 'ce-', 'posthorn-'];

/**
 * Checks the header fields that a tenant adds to every webhook.
 *
 * @returns the fields, with their names in lower case
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names every invalid field
 */
export function checkEndpointHeaders(headers: Record<string, string>): Record<string, string> {
  const fields: FieldError[] = [];
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    const fault = headerFault(lower, value);
    if (lower in out) fields.push(duplicateKey('/headers', name));
    else if (fault === undefined) out[lower] = value.trim();
    else fields.push({ pointer: childPointer('/headers', name), detail: fault });
  }
  if (fields.length > 0) {
    const detail = fields.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
    throw new PosthornError('POSTHORN_REQUEST_INVALID', { detail, fields });
  }
  return { ...out };
}

function headerFault(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return 'must be the name of a header field';
  if (RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
    return 'is set by the platform';
  }
  if (value.length > limits.endpointHeaderValueLengthMax) {
    return `must have at most ${limits.endpointHeaderValueLengthMax} characters`;
  }
  if (!VALUE.test(value)) return 'must be printable ASCII';
  return undefined;
}
