/**
 * Common parts of the cases that run a large task alongside a quiet load: a counting receiver, and
 * the measurements.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type System, nodeMemoryMiB } from '../system.ts';
import { Api } from './api.ts';
import { QuietLoad, percentile } from './quiet-load.ts';
import { ReceiverProcess } from './receiver-process.ts';

const QUIET_PER_S = 50;
const POLL_EVERY_MS = 500;

export interface Beside {
  api: Api;
  receiver: ReceiverProcess;
  /** Base URL of the receiver. */
  receiverUrl: string;
  quiet: QuietLoad;
}

/**
 * Runs a case alongside a quiet load, which the case starts, and ends everything afterwards, also
 * on an error.
 */
export async function besideQuiet<T>(
  system: System,
  work: (beside: Beside) => Promise<T>,
): Promise<T> {
  const api = new Api(system);
  const quietApi = new Api(system);
  const receiver = new ReceiverProcess();
  const quiet = new QuietLoad(quietApi, QUIET_PER_S);
  try {
    const receiverUrl = `http://127.0.0.1:${await receiver.start()}`;
    return await work({ api, receiver, receiverUrl, quiet });
  } finally {
    quiet.close();
    receiver.stop();
    await Promise.all([api.close(), quietApi.close()]);
  }
}

/**
 * Waits until it is done or `untilMs` (since 1970) has come, and returns Node's peak memory until
 * then.
 */
export async function peakMiB(
  system: System,
  isDone: () => boolean,
  untilMs: number,
): Promise<number> {
  let peak = 0;
  while (!isDone() && Date.now() < untilMs) {
    await delay(POLL_EVERY_MS);
    peak = Math.max(peak, nodeMemoryMiB(system.process.pid as number));
  }
  return peak;
}

/** @param before, during latencies of the quiet load in milliseconds, sorted */
export function quietFigures(
  quiet: QuietLoad,
  before: readonly number[],
  during: readonly number[],
): Record<string, unknown> {
  return {
    quiet_p50_p95_before_ms: [percentile(before, 0.5), percentile(before, 0.95)],
    quiet_p50_p95_during_ms: [percentile(during, 0.5), percentile(during, 0.95)],
    quiet_missing: quiet.missing,
    quiet_refused: quiet.refused,
  };
}
