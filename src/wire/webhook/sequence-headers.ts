/**
 * Headers with the number of a webhook, for endpoints that are sequenced (DL-23). The number has a
 * signature of its own, so that it is signed in every format of the body.
 */

export const SEQUENCE_HEADER = 'posthorn-sequence';
export const SEQUENCE_SIGNATURE_HEADER = 'posthorn-sequence-signature';

/**
 * The text that `posthorn-sequence-signature` signs. It has no dot, as event ids have none: with
 * one it could be replayed as a webhook, whose signed content is `<id>.<timestamp>.<body>`.
 */
export function sequenceText(id: string, timestampSeconds: number, sequence: number): string {
  return `posthorn-sequence:${id}:${timestampSeconds}:${sequence}`;
}
