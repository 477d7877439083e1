import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEnvironment } from '#config/load.ts';
import { errorFrames } from '#infra/telemetry/error-frames.ts';

test('frames carry file and line, the innermost last, and mark our own code', () => {
  try {
    loadEnvironment({ POSTHORN_NO_SUCH: '1' });
  } catch (error) {
    const frames = errorFrames(error as Error);
    const last = frames.at(-1);
    assert.equal(last?.filename, 'src/config/load.ts');
    assert.equal(last.function, 'loadEnvironment');
    assert.ok(last.in_app && last.lineno > 0 && last.colno > 0);
    assert.equal(frames.at(-2)?.filename, 'error-frames.test.ts');
    assert.ok(frames.some(({ filename, in_app }) => filename.startsWith('node:') && !in_app));
    return;
  }
  assert.fail('the setting was taken');
});

test('frames contain nothing of the message, even when it looks like a frame', () => {
  const error = new TypeError('card\n    at leak (/etc/payload.ts:1:1)');
  const frames = errorFrames(error);
  assert.ok(frames.length > 0);
  assert.ok(!JSON.stringify(frames).includes('leak'));
});

test('an error without a stack has no frames', () => {
  const error = new Error('x');
  delete error.stack;
  assert.deepEqual(errorFrames(error), []);
});

test('a deep stack is reduced to its innermost 50 frames', () => {
  const error = new Error('x');
  const lines = Array.from({ length: 80 }, (_, i) => `    at f${i} (/app/src/a.ts:${i + 1}:1)`);
  error.stack = `Error: x\n${lines.join('\n')}`;
  const frames = errorFrames(error);
  assert.equal(frames.length, 50);
  assert.deepEqual(frames.at(-1), {
    filename: 'src/a.ts',
    function: 'f0',
    lineno: 1,
    colno: 1,
    in_app: true,
  });
});
