/** Estimates the cost of a stack: a month, and a million deliveries. `npm run cost` prints it. */
import { pathToFileURL } from 'node:url';
import { INTERFACE_SERVICES } from './src/components/network/vpc-endpoints.ts';
import { type Settings, readSettings } from './src/config.ts';
import { prices } from './prices.ts';
import { EXAMPLE_OWNER, readStackFile } from './stack-file.ts';
import { storageInputs, storagePlan } from './storage-plan.ts';

export interface CostLine {
  item: string;
  usd: number;
}

export interface Estimate {
  stack: string;
  deliveriesPerMonth: number;
  lines: readonly CostLine[];
  usd: number;
  usdPerMillion: number;
}

/** What the configuration does not say: the MongoDB that was bought for the load. */
interface Load {
  atlas: keyof typeof prices.atlasHour;
  /** Storage and backups of MongoDB. */
  atlasExtraUsd: number;
}

const HOURS = 730;
const GB = 1e9;

/** Environments whose cost is stated, for the load and the volumes of `storage-plan.ts`. */
export const loads = {
  dev: { atlas: 'M10', atlasExtraUsd: 10 },
  stage: { atlas: 'M30', atlasExtraUsd: 40 },
  prod: { atlas: 'M40', atlasExtraUsd: 150 },
} as const satisfies Record<string, Load>;

/**
 * Bytes of one delivery, for an event of 2 kB, one attempt and kept connections. The bytes through
 * the gateway count both directions, with TLS. Those between zones include two replicas of each
 * message. The archive is compressed.
 */
const BYTES = { out: 4_900, gateway: 8_200, betweenZones: 13_500, log: 300, archive: 600 };

/** Volumes of a node: the system, and what containers write. */
const NODE_DISK_GB = 54;

const round = (usd: number): number => Math.round(usd * 100) / 100;

interface Nodes {
  count: number;
  usd: number;
}

/** Nodes at the smallest size of their groups: the first type of a list is the one counted. */
export function nodesOf(settings: Settings): Nodes {
  const groups = [
    { type: settings.systemInstanceType, count: 3, share: 1 },
    { type: settings.natsInstanceType, count: 3, share: 1 },
    {
      type: settings.workerInstanceTypes[0] ?? '',
      count: settings.standby ? 0 : settings.workerNodesMin,
      share: settings.workerSpot ? prices.spotShare : 1,
    },
    ...(settings.mongodbMode === 'operator'
      ? [{ type: settings.mongodbInstanceType, count: 3, share: 1 }]
      : []),
  ];
  return groups.reduce(
    (sum, { type, count, share }) => {
      const hour = prices.instanceHour[type];
      if (hour === undefined) throw new Error(`prices.ts has no price of ${type}`);
      return { count: sum.count + count, usd: sum.usd + hour * HOURS * count * share };
    },
    { count: 0, usd: 0 },
  );
}

/** The archive when as much leaves it as comes in, and its copy. */
function archiveUsd(settings: Settings, deliveriesPerMonth: number): number {
  const gbPerDay = (deliveriesPerMonth * BYTES.archive) / GB / 30;
  const { standard, infrequent, coldInstant } = prices.perGbMonth;
  const cold = Math.max(0, settings.archiveExpireDays - 90);
  const kept = gbPerDay * (30 * standard + 60 * infrequent + cold * coldInstant);
  const copied = gbPerDay * 30 * prices.perGb.betweenRegions + kept;
  return settings.recoveryRegion === '' ? kept : kept + copied;
}

function networkLines(settings: Settings, deliveriesPerMonth: number): CostLine[] {
  const { hourly, perGb } = prices;
  const gb = (bytes: number): number => (deliveriesPerMonth * bytes) / GB;
  const sites = settings.recoveryRegion === '' ? 1 : 2;
  const addresses = (3 + settings.spareEgressAddresses) * sites;
  const endpointZones = settings.interfaceEndpoints ? INTERFACE_SERVICES.length * 3 : 0;
  return [
    { item: 'NAT gateways, three', usd: 3 * hourly.natGateway * HOURS },
    { item: 'Bytes through NAT gateways', usd: gb(BYTES.gateway) * perGb.natProcessed },
    { item: 'Bytes to the Internet', usd: gb(BYTES.out) * perGb.internetEgress },
    { item: 'Bytes between zones', usd: gb(BYTES.betweenZones) * perGb.betweenZones },
    { item: `Public addresses, ${addresses}`, usd: addresses * hourly.publicAddress * HOURS },
    { item: 'Interface endpoints', usd: endpointZones * hourly.interfaceEndpointZone * HOURS },
    { item: 'Load balancer', usd: hourly.loadBalancer * HOURS },
  ];
}

/** @throws Error if the price of an instance type is not known */
export function estimate(stack: keyof typeof loads): Estimate {
  const settings = readSettings({ ...readStackFile(stack), ...EXAMPLE_OWNER });
  const load: Load = loads[stack];
  const { deliveriesPerMonth } = storageInputs[stack];
  const nodes = nodesOf(settings);
  const recovery = settings.recoveryRegion !== '';
  const { volume, volumeBackup } = prices.perGbMonth;
  const brokerGb = storagePlan(storageInputs[stack]).volumesGibTogether;
  const keys = recovery ? 5 : 4;
  const secrets = recovery ? 2 : 1;
  const lines = [
    { item: 'Control plane of EKS', usd: prices.hourly.cluster * HOURS },
    { item: `Nodes, ${nodes.count}`, usd: nodes.usd },
    {
      item: 'Volumes of nodes and brokers',
      usd: (nodes.count * NODE_DISK_GB + brokerGb) * volume,
    },
    ...networkLines(settings, deliveriesPerMonth),
    {
      item: `MongoDB Atlas, ${load.atlas}`,
      usd: prices.atlasHour[load.atlas] * HOURS + load.atlasExtraUsd,
    },
    {
      item: 'Logs',
      usd: ((deliveriesPerMonth * BYTES.log) / GB) * prices.perGb.logIngest,
    },
    { item: 'Archive', usd: archiveUsd(settings, deliveriesPerMonth) },
    { item: 'Backups', usd: brokerGb * volumeBackup * (recovery ? 2 : 1) },
    {
      item: 'Keys and secrets',
      usd: keys * prices.monthly.key + secrets * prices.monthly.secret,
    },
  ].map(({ item, usd }) => ({ item, usd: round(usd) }));
  const usd = round(lines.reduce((sum, line) => sum + line.usd, 0));
  const usdPerMillion = round(usd / (deliveriesPerMonth / 1e6));
  return { stack, deliveriesPerMonth, lines, usd, usdPerMillion };
}

/** A line's item without its particulars. */
const nameOf = ({ item }: CostLine): string => item.replace(/, .*/, '');

/** All environments, as a table in Markdown. */
export function costTable(): string {
  const estimates = Object.keys(loads).map((stack) => estimate(stack as keyof typeof loads));
  const row = (first: string, cells: readonly string[]): string =>
    `| ${[first, ...cells].join(' | ')} |`;
  const items = [...new Set(estimates.flatMap(({ lines }) => lines.map(nameOf)))];
  const usdOf = ({ lines }: Estimate, item: string): string => {
    const usd = lines.find((line) => nameOf(line) === item)?.usd ?? 0;
    return usd === 0 ? '' : usd.toFixed(0);
  };
  return [
    row(
      'US dollars a month',
      estimates.map(({ stack }) => stack),
    ),
    row(
      '---',
      estimates.map(() => '---'),
    ),
    ...items.map((item) =>
      row(
        item,
        estimates.map((one) => usdOf(one, item)),
      ),
    ),
    row(
      '**Together**',
      estimates.map(({ usd }) => `**${usd.toFixed(0)}**`),
    ),
    row(
      'Deliveries a month',
      estimates.map(({ deliveriesPerMonth }) => deliveriesPerMonth.toLocaleString('en-US')),
    ),
    row(
      '**For a million deliveries**',
      estimates.map(({ usdPerMillion }) => `**${usdPerMillion.toFixed(2)}**`),
    ),
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`List prices of ${prices.region}, ${prices.asOf}\n\n${costTable()}\n`);
}
