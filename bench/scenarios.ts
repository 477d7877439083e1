/**
 * What the bench measures: the flags of the driver, and the figures to reach (docs/architecture.md,
 * "Figures").
 */
export interface Scenario {
  title: string;
  flags: string[];
}

export const scenarios: Record<string, Scenario> = {
  max: {
    title: 'most it can do, one event per request',
    flags: ['-events', '20000', '-tenants', '10', '-conc', '64'],
  },
  batch: {
    title: 'most it can do, batches of 20',
    flags: ['-events', '40000', '-tenants', '10', '-conc', '64', '-batch', '20'],
  },
  rate: {
    title: 'at 278/s (1,000,000 an hour)',
    flags: ['-events', '5560', '-tenants', '10', '-rate', '278', '-conc', '32'],
  },
  noisy: {
    title: 'one tenant floods an endpoint that hangs',
    flags: [
      '-events',
      '8000',
      '-rate',
      '200',
      '-conc',
      '32',
      '-noisy',
      '0.8',
      '-fail',
      '0.1',
    ].concat(['-failmode', 'hang', '-hold', '30s', '-timeout', '100s']),
  },
  tenants: {
    title: '1,000 tenants',
    flags: ['-events', '20000', '-tenants', '1000', '-conc', '64'],
  },
  flood: {
    title: 'one tenant offers 5,000/s to an endpoint that hangs, the others 40/s together',
    flags: [
      '-events',
      '50400',
      '-rate',
      '5040',
      '-conc',
      '64',
      '-noisy',
      '0.992',
      '-fail',
      '0.1',
    ].concat(['-failmode', 'hang', '-hold', '30s', '-timeout', '30s']),
  },
  minute: {
    title: '10,000 tenants with an event a minute each',
    flags: ['-events', '20000', '-tenants', '10000', '-rate', '167', '-conc', '32'],
  },
  wide: {
    title: 'one event to 5,000 endpoints of one tenant',
    flags: ['-events', '1', '-tenants', '1', '-endpoints', '5000', '-conc', '1'],
  },
  five: {
    title: 'five endpoints for each event',
    flags: ['-events', '5000', '-tenants', '10', '-endpoints', '5', '-conc', '64'],
  },
  fanout: {
    title: '20 endpoints for each event',
    flags: ['-events', '2000', '-tenants', '10', '-endpoints', '20', '-conc', '64'],
  },
};

export type ScenarioName = keyof typeof scenarios;
