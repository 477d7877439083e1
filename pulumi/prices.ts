/**
 * List prices in US dollars, on demand, without tax and discounts. Put in by hand: compare with the
 * AWS price list before you rely on a figure, and set the date when you did.
 */
export const prices = {
  asOf: '2026-11-21',
  region: 'us-east-1',
  hourly: {
    cluster: 0.1,
    natGateway: 0.045,
    publicAddress: 0.005,
    interfaceEndpointZone: 0.01,
    loadBalancer: 0.0225,
  },
  /** By instance type. */
  instanceHour: {
    't4g.medium': 0.0336,
    't4g.large': 0.0672,
    'm8g.large': 0.08976,
    'm8g.xlarge': 0.17952,
    'c8g.large': 0.07976,
    'c8g.xlarge': 0.15953,
    'r8g.large': 0.11782,
  } as Readonly<Record<string, number>>,
  /** Share of the price on demand that spare capacity usually costs. */
  spotShare: 0.4,
  perGb: {
    natProcessed: 0.045,
    internetEgress: 0.09,
    /** Both directions together. */
    betweenZones: 0.02,
    betweenRegions: 0.02,
    logIngest: 0.5,
  },
  perGbMonth: {
    volume: 0.08,
    standard: 0.023,
    infrequent: 0.0125,
    coldInstant: 0.004,
    volumeBackup: 0.05,
  },
  monthly: { key: 1, secret: 0.4 },
  /** MongoDB Atlas, three members, by tier. */
  atlasHour: { M10: 0.08, M30: 0.54, M40: 1.04 },
} as const;
