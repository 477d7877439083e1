import type { AnyBulkWriteOperation } from 'mongodb';
import type { EndpointHealthDocument } from '#infra/mongo/endpoint-health.ts';
import { type EndpointAttempts, firstFailureMs, lastFailureOf } from './attempts.ts';

/**
 * Merges the attempts of a batch into an endpoint's health. Times only move forward, and the first
 * failure is the earliest known one after the last success. So repeating a batch, or applying
 * batches in another order, gives the same result, with one exception: an earlier failure may be
 * lost if a success came between, which only shortens the period.
 */
export function mergeHealth(
  endpoint: string,
  attempts: EndpointAttempts,
): AnyBulkWriteOperation<EndpointHealthDocument> {
  const success = dateOf(attempts.lastSuccessMs);
  const first = dateOf(firstFailureMs(attempts));
  return {
    updateOne: {
      filter: { _id: endpoint },
      update: [
        {
          $set: {
            tenant: { $literal: attempts.tenant },
            last_attempt_at: { $max: ['$last_attempt_at', new Date(attempts.lastAttemptMs)] },
            last_success_at: { $max: ['$last_success_at', success] },
            // Without `$literal`, a text that begins with `$` would be evaluated as an expression.
            last_failure: { $max: ['$last_failure', { $literal: lastFailureOf(attempts) }] },
          },
        },
        {
          $set: {
            failing_since: {
              $min: {
                $filter: {
                  input: ['$failing_since', first, '$last_failure.at'],
                  // Null sorts below every date.
                  cond: { $gt: ['$$this', { $ifNull: ['$last_success_at', new Date(0)] }] },
                },
              },
            },
          },
        },
      ],
      upsert: true,
    },
  };
}

function dateOf(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms);
}
