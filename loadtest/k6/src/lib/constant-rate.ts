import type { Options } from 'k6/options';

/**
 * Options of a scenario with one constant rate, which loses and duplicates no delivery.
 *
 * @param perS events a second
 * @param thresholds of the scenario, in addition to those of all
 */
export function constantRate(
  name: string,
  perS: number,
  length: string,
  thresholds: Record<string, string[]>,
): Options {
  return {
    setupTimeout: '5m',
    teardownTimeout: '10m',
    scenarios: {
      [name]: {
        executor: 'constant-arrival-rate',
        rate: perS,
        duration: length,
        preAllocatedVUs: 100,
        maxVUs: 1000,
      },
    },
    thresholds: {
      deliveries: ['value>0'],
      deliveries_lost: ['value==0'],
      deliveries_duplicated: ['value==0'],
      // A generator that cannot keep up would otherwise pass with less load than stated.
      dropped_iterations: ['count==0'],
      ...thresholds,
    },
  };
}
