import { timingSafeEqual } from 'node:crypto';
import { createSigner } from './signature.ts';

const TOLERANCE_SECONDS = 300;

/**
 * Checks a webhook as its receiver should (Standard Webhooks 1.0.0, "Verifying signatures").
 *
 * @param secret the endpoint's `whsec_…`
 * @param headers names in lower case
 * @returns undefined if it is genuine and fresh, else why not
 */
export function webhookFault(
  secret: string,
  headers: Record<string, string | undefined>,
  body: Uint8Array,
  nowMs: number,
): string | undefined {
  const id = headers['webhook-id'];
  const sentAt = headers['webhook-timestamp'] ?? '';
  const timestamp = /^\d+$/.test(sentAt) ? Number(sentAt) : Number.NaN;
  const signatures = headers['webhook-signature'];
  if (id === undefined || signatures === undefined || !Number.isSafeInteger(timestamp)) {
    return 'a webhook- header is missing';
  }
  if (Math.abs(nowMs / 1000 - timestamp) > TOLERANCE_SECONDS) return 'the timestamp is too far off';
  const expected = Buffer.from(createSigner(secret)(id, timestamp, body));
  const matches = signatures.split(' ').some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return matches ? undefined : 'no signature matches';
}
