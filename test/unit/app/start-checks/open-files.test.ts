import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { ConfigError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { checkOpenFiles, openFilesOf } from '#src/app/start-checks/open-files.ts';

const settings = loadSettings({ POSTHORN_WORKER_IN_FLIGHT_MAX: '1000' });

function warnings(roles: Parameters<typeof openFilesOf>[1], limit: number): unknown[] {
  const lines: unknown[] = [];
  const log = { warn: (...line: unknown[]) => lines.push(line) } as unknown as Log;
  checkOpenFiles(openFilesOf(settings, roles), log, limit);
  return lines;
}

test('a worker logs a warning when its limit of open files is lower than its attempts need', () => {
  assert.deepEqual(warnings(['delivery'], 256), [
    [{ limit: 256, wanted: 1064 }, 'process.open_files_low'],
  ]);
  assert.deepEqual(warnings(['delivery'], 1064), []);
  assert.deepEqual(warnings(['delivery'], Number.POSITIVE_INFINITY), []);
});

test('a process without the role delivery needs no descriptors for attempts', () => {
  assert.deepEqual(warnings(['router'], 256), []);
});

test('rejects a limit of open files below the required number with a ConfigError', () => {
  assert.throws(
    () => warnings(['delivery'], 63),
    (error) =>
      error instanceof ConfigError &&
      error.faults[0] === 'the limit of open files (ulimit -n) is 63: must be at least 64',
  );
});
