/**
 * Loaded into a process before its program (`--import`): shifts its wall clock by the offset in a
 * file, which is read again at a signal, as if the clock of the machine were changed. Timers and
 * the monotonic clock are unaffected.
 */
import { readFileSync } from 'node:fs';

const realNow = Date.now;
let offsetMs = readOffset();

function readOffset(): number {
  return Number(readFileSync(process.env['TEST_CLOCK_FILE'] as string, 'utf8'));
}

Date.now = () => realNow() + offsetMs;
globalThis.Date = new Proxy(Date, {
  construct: (real, given: unknown[]) =>
    Reflect.construct(real, given.length === 0 ? [real.now()] : given) as Date,
});
process.on('SIGUSR2', () => {
  offsetMs = readOffset();
});
