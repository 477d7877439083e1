import type { SendResult } from '#infra/http/client/sender.ts';

const MASK = '********';

/**
 * An answer without the secrets that were sent: a receiver that repeats its request must not write them into the
 * history. Each is masked where it stands as it was sent, also where the end of what was kept cuts it. One that
 * is shorter than the mask is left: it may stand there by chance, and the answer would grow.
 */
export function hideSecrets(result: SendResult, secrets: readonly string[]): SendResult {
  const { responseHeaders, responseBody } = result;
  if (secrets.length === 0 || responseHeaders === undefined) return result;
  // Byte for byte, whatever the body is.
  const needles = secrets
    .filter((secret) => secret.length >= MASK.length)
    .map((secret) => Buffer.from(secret).toString('latin1'));
  const hide = (text: string): string =>
    needles.reduce((rest, needle) => withoutCut(rest.replaceAll(needle, MASK), needle), text);
  const headers: SendResult['responseHeaders'] = {};
  for (const [name, value] of Object.entries(responseHeaders)) {
    headers[name] = Array.isArray(value)
      ? value.map(hide)
      : value === undefined
        ? value
        : hide(value);
  }
  return {
    ...result,
    responseHeaders: headers,
    responseBody: Buffer.from(hide(responseBody.toString('latin1')), 'latin1'),
  };
}

/** Without a beginning of the secret at the very end of the text. */
function withoutCut(text: string, needle: string): string {
  for (let length = Math.min(needle.length - 1, text.length); length >= MASK.length; length--) {
    if (text.endsWith(needle.slice(0, length))) return text.slice(0, -length) + MASK;
  }
  return text;
}
