/**
 * Loaded into a process before its program (`--import`): its wall clock is wrong by what stands in a file, read
 * anew at a signal, as if somebody had set the clock of the machine. Timers and the monotonic clock go on.
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
