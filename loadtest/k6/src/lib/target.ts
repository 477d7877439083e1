/** The target of the test, from the environment: set by the runner, or by `k6 run -e`. */

function required(name: string): string {
  const value = __ENV[name];
  if (value === undefined || value === '')
    throw new Error(`${name} is not set: see loadtest/k6/README.md`);
  return value;
}

/** The API of the system under test, without a slash at its end. */
export const BASE_URL = required('POSTHORN_URL').replace(/\/$/, '');
/** URL for creating tenants, if it differs. */
export const CONTROL_URL = (__ENV['CONTROL_URL'] ?? BASE_URL).replace(/\/$/, '');
/** A platform key. */
export const API_KEY = required('POSTHORN_KEY');
/** The receiver's URL for the load generator. */
export const RECEIVER_URL = required('RECEIVER_URL').replace(/\/$/, '');
/** The receiver's URL for the system under test. */
export const RECEIVER_PUBLIC_URL = (__ENV['RECEIVER_PUBLIC_URL'] ?? RECEIVER_URL).replace(
  /\/$/,
  '',
);
/** k6's own REST API (`k6 run --address`). */
export const K6_API_URL = __ENV['K6_API_URL'] ?? 'http://localhost:6565';
/** Distinguishes the tenants and events of this run from others. */
export const RUN = required('RUN_ID');

/** A duration such as `10m` from the environment, or the default of the scenario. */
export function duration(usual: string): string {
  const requested = __ENV['DURATION'];
  return requested === undefined || requested === '' ? usual : requested;
}

/** Events per second from the environment, or the default of the scenario. */
export function rate(usual: number): number {
  const requested = Number(__ENV['RATE'] ?? '');
  if (Number.isNaN(requested) || requested < 0)
    throw new Error('RATE must be a number of events a second');
  return requested === 0 ? usual : requested;
}
