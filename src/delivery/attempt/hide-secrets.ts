import type { SendResult } from '#infra/http/client/sender.ts';

const MASK = '********';

/**
 * Masks the sent secrets in an answer, so that a receiver that echoes its request does not write
 * them into the history. Masks each secret as it was sent, even if the kept part of the answer
 * ends inside it. A secret shorter than the mask stays: it may occur by chance, and the answer
 * would grow.
 */
export function hideSecrets(result: SendResult, secrets: readonly string[]): SendResult {
  const { responseHeaders, responseBody } = result;
  if (secrets.length === 0 || responseHeaders === undefined) return result;
  // Latin-1 keeps every byte, so that binary bodies survive.
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

/** Masks a beginning of the secret at the very end of the text. */
function withoutCut(text: string, needle: string): string {
  for (let length = Math.min(needle.length - 1, text.length); length >= MASK.length; length--) {
    if (text.endsWith(needle.slice(0, length))) return text.slice(0, -length) + MASK;
  }
  return text;
}
