/** What is tested, from the environment: the runner sets it, or `k6 run -e`. */

function required(name: string): string {
  const value = __ENV[name];
  if (value === undefined || value === '')
    throw new Error(`${name} is not set: see loadtest/k6/README.md`);
  return value;
}

/** The API of the system under test, without a slash at its end. */
export const BASE_URL = required('POSTHORN_URL').replace(/\/$/, '');
/** Where tenants are made, if not at the same address. */
export const CONTROL_URL = (__ENV['CONTROL_URL'] ?? BASE_URL).replace(/\/$/, '');
/** A platform key. */
export const API_KEY = required('POSTHORN_KEY');
/** The receiver, as the load generator reaches it. */
export const RECEIVER_URL = required('RECEIVER_URL').replace(/\/$/, '');
/** The receiver, as the system under test reaches it. */
export const RECEIVER_PUBLIC_URL = (__ENV['RECEIVER_PUBLIC_URL'] ?? RECEIVER_URL).replace(
  /\/$/,
  '',
);
/** k6's own REST API (`k6 run --address`). */
export const K6_API_URL = __ENV['K6_API_URL'] ?? 'http://localhost:6565';
/** Tells this run's tenants and events from those of others. */
export const RUN = required('RUN_ID');

/** A length of time such as `10m` from the environment, or what the scenario has by itself. */
export function duration(usual: string): string {
  const asked = __ENV['DURATION'];
  return asked === undefined || asked === '' ? usual : asked;
}

/** Events a second from the environment, or what the scenario has by itself. */
export function rate(usual: number): number {
  const asked = Number(__ENV['RATE'] ?? '');
  if (Number.isNaN(asked) || asked < 0) throw new Error('RATE must be a number of events a second');
  return asked === 0 ? usual : asked;
}
