import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeadState, encodeHeadState } from '#src/delivery/ordered/head-state.ts';

test('a stored head state keeps the form that earlier versions wrote', () => {
  const stored =
    '{"seq":7,"id":"dlv_1","attemptNo":3,"hop":4,"notBeforeMs":0,"firstAttemptMs":5,"stand":"held"}';
  const state = decodeHeadState(stored);
  assert.equal(state.status, 'held');
  assert.equal(state.firstAttemptMs, 5);
  assert.deepEqual(JSON.parse(encodeHeadState(state)), JSON.parse(stored));
});
