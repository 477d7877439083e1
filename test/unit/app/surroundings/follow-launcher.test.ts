import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { followLauncher } from '#src/app/surroundings/follow-launcher.ts';

const NPM_START = { npm_lifecycle_event: 'start', npm_package_name: 'posthorn' };

/** Counts the calls of `onGone` after the parent was replaced and minutes passed. */
function goneAfterParent(t: TestContext, env: Record<string, string>): number {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let parent = 100;
  let gone = 0;
  followLauncher({ env, parentPid: () => parent }, () => void gone++);
  t.mock.timers.tick(60_000);
  assert.equal(gone, 0);
  parent = 1;
  t.mock.timers.tick(60_000);
  return gone;
}

test('a start by npm is notified once when npm has ended', (t) => {
  assert.equal(goneAfterParent(t, NPM_START), 1);
});

for (const env of [
  {},
  { ...NPM_START, npm_lifecycle_event: 'test' },
  { ...NPM_START, npm_package_name: 'app' },
]) {
  test(`a start with ${JSON.stringify(env)} outlives its parent`, (t) => {
    assert.equal(goneAfterParent(t, env), 0);
  });
}
