import type { Settings } from '../src/config.ts';
import { vcpusOf } from '../src/node-capacity.ts';

/** A service quota, and how much of it one stack uses. */
export interface QuotaNeed {
  what: string;
  region: string;
  serviceCode: string;
  quotaCode: string;
  needed: number;
}

const ELASTIC_IPS = { what: 'Elastic IP addresses', serviceCode: 'ec2', quotaCode: 'L-0263D0A3' };

/** The largest type of a list: the groups may start any of them. */
const mostVcpus = (types: readonly string[]): number => Math.max(...types.map(vcpusOf));

/** vCPUs with every node group at its largest size, and one more node for each roll-out. */
function vcpus(settings: Settings): { onDemand: number; spot: number } {
  const { workerInstanceTypes, workerNodesMax, workerSpot } = settings;
  const workers = (workerNodesMax + 1) * mostVcpus(workerInstanceTypes);
  // A zonal group has one node, and a second during an update.
  const zonal = [
    settings.natsInstanceType,
    ...(settings.mongodbMode === 'operator' ? [settings.mongodbInstanceType] : []),
  ].reduce((sum, type) => sum + 6 * vcpusOf(type), 0);
  const fixed = 7 * vcpusOf(settings.systemInstanceType) + zonal;
  return workerSpot ? { onDemand: fixed, spot: workers } : { onDemand: fixed + workers, spot: 0 };
}

/**
 * The quotas that a stack needs, by the codes of Service Quotas. The defaults of a new account are
 * 5 Elastic IPs, 5 VPCs, 5 NAT gateways a zone, and 5 vCPUs or a few more.
 */
export function quotaNeeds(settings: Settings): QuotaNeed[] {
  const { region, recoveryRegion, site, spareEgressAddresses } = settings;
  const addresses = 3 + spareEgressAddresses;
  const { onDemand, spot } = vcpus(settings);
  const needs: Omit<QuotaNeed, 'region'>[] = [
    // A recovery site uses the addresses that the primary stack has counted.
    { ...ELASTIC_IPS, needed: site === 'primary' ? addresses : 0 },
    { what: 'VPCs', serviceCode: 'vpc', quotaCode: 'L-F678F1CE', needed: 1 },
    { what: 'NAT gateways in a zone', serviceCode: 'vpc', quotaCode: 'L-FE5A380F', needed: 1 },
    { what: 'vCPUs on demand', serviceCode: 'ec2', quotaCode: 'L-1216C47A', needed: onDemand },
    { what: 'vCPUs of spot', serviceCode: 'ec2', quotaCode: 'L-34B43A08', needed: spot },
    {
      what: 'Application Load Balancers',
      serviceCode: 'elasticloadbalancing',
      quotaCode: 'L-53DA6B97',
      needed: 2,
    },
    { what: 'EKS clusters', serviceCode: 'eks', quotaCode: 'L-1194D53C', needed: 1 },
  ];
  const home = needs.filter(({ needed }) => needed > 0).map((need) => ({ ...need, region }));
  if (recoveryRegion === '') return home;
  return [...home, { ...ELASTIC_IPS, region: recoveryRegion, needed: addresses }];
}
