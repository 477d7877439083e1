/**
 * The thread that checks data against schemas (`CheckThread` starts it): one check at a time, and
 * one answer for each.
 */
import { parentPort } from 'node:worker_threads';
import { PosthornError } from '#domain/errors.ts';
import { compileSchema, type DataValidator } from '#domain/json-schema/compile-schema.ts';
import type { CheckAnswer, CheckRequest } from './check-messages.ts';

/** A compiled schema takes up to some MB. */
const VALIDATORS_KEPT = 32;

const owner = parentPort as NonNullable<typeof parentPort>;
/** By schema; the least recently used first. */
const validators = new Map<string, DataValidator>();

function validatorOf(schema: string): DataValidator {
  const known = validators.get(schema);
  const validator = known ?? compileSchema(JSON.parse(schema) as Record<string, unknown>);
  validators.delete(schema);
  validators.set(schema, validator);
  const [oldest] = validators.keys();
  if (validators.size > VALIDATORS_KEPT) validators.delete(oldest as string);
  return validator;
}

function check({ schema, data }: CheckRequest): CheckAnswer {
  try {
    const validate = validatorOf(schema);
    return { faults: validate(JSON.parse(Buffer.from(data.buffer).toString())) };
  } catch (error) {
    if (error instanceof PosthornError) return { schemaFault: error.message };
    throw error;
  }
}

owner.on('message', (request: CheckRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  owner.postMessage(check(request));
});
