import assert from 'node:assert/strict';
import { type ErrorCode, isPosthornError } from '#domain/errors.ts';

/** Runs a function that must throw; returns the code and the pointers, in order. */
export function refusal(read: () => unknown): { code: ErrorCode; pointers: string[] } {
  try {
    read();
  } catch (error) {
    if (!isPosthornError(error)) throw error;
    for (const { detail } of error.fields) assert.notEqual(detail, '');
    return { code: error.code, pointers: error.fields.map(({ pointer }) => pointer) };
  }
  throw new Error('it was taken');
}
