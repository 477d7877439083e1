import { Resolver } from 'node:dns/promises';
import { ACMClient, paginateListCertificates } from '@aws-sdk/client-acm';
import {
  DescribeAddressesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeVpcEndpointServicesCommand,
  EC2Client,
  type Tag,
  paginateDescribeInstances,
  paginateDescribeVpcs,
} from '@aws-sdk/client-ec2';
import { DescribeRegistryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { DescribeClusterVersionsCommand, EKSClient } from '@aws-sdk/client-eks';
import { GetRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  ServiceQuotasClient,
} from '@aws-sdk/client-service-quotas';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Settings } from '../src/config.ts';
import type { AccountFacts } from './findings.ts';
import type { QuotaNeed } from './needs.ts';

/** Where the services answer; by the rules of AWS without an endpoint. */
export interface AwsOptions {
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

/** Looks the name servers of a domain up, as `resolveNs` of node:dns. */
export type ResolveNs = (domain: string) => Promise<string[]>;

const publicDns: ResolveNs = (domain) =>
  new Resolver({ timeout: 5000, tries: 2 }).resolveNs(domain);

/** Undefined if AWS answers with one of these errors. */
async function unless<T>(names: readonly string[], requested: Promise<T>): Promise<T | undefined> {
  try {
    return await requested;
  } catch (error) {
    if (names.includes((error as Error).name)) return undefined;
    throw error;
  }
}

/** Reads the answers of an account. It changes nothing. */
export async function readAccount(
  settings: Settings,
  options: AwsOptions,
  resolveNs = publicDns,
): Promise<AccountFacts> {
  const { environment, region } = settings;
  const at = (where: string) => ({ ...options, region: where });
  const identity = await new STSClient(at(region)).send(new GetCallerIdentityCommand({}));
  return {
    accountId: identity.Account ?? '',
    quota: (need) => quotaOf(new ServiceQuotasClient(at(need.region)), need),
    used: (need) => usedOf(new EC2Client(at(need.region)), need, isOwn(settings)),
    clusterVersions: async () => {
      const answer = await new EKSClient(at(region)).send(new DescribeClusterVersionsCommand({}));
      return new Map(
        (answer.clusterVersions ?? []).map((one) => [
          one.clusterVersion ?? '',
          one.endOfStandardSupportDate?.toISOString().slice(0, 10) ?? '',
        ]),
      );
    },
    zonesOf: async (type) => {
      const command = new DescribeInstanceTypeOfferingsCommand({
        LocationType: 'availability-zone',
        Filters: [{ Name: 'instance-type', Values: [type] }],
      });
      const answer = await new EC2Client(at(region)).send(command);
      return (answer.InstanceTypeOfferings ?? []).map(({ Location }) => Location ?? '');
    },
    hasRole: async (RoleName) => {
      const requested = new IAMClient(at(region)).send(new GetRoleCommand({ RoleName }));
      return (await unless(['NoSuchEntityException'], requested)) !== undefined;
    },
    replicatedPrefixes: async () => {
      const answer = await new ECRClient(at(region)).send(new DescribeRegistryCommand({}));
      const rules = answer.replicationConfiguration?.rules ?? [];
      return rules.flatMap(({ repositoryFilters }) =>
        (repositoryFilters ?? [{ filter: 'every repository' }]).map(({ filter }) => filter ?? ''),
      );
    },
    certificateDomains: () => certificateDomains(new ACMClient(at(region))),
    nameServers: (domain) => nameServersOf(domain, resolveNs),
    offersService: async (name) => {
      const command = new DescribeVpcEndpointServicesCommand({ ServiceNames: [name] });
      const answer = await unless(['InvalidServiceName'], new EC2Client(at(region)).send(command));
      return (answer?.ServiceDetails ?? []).length > 0;
    },
    secretKeys: async () => {
      const command = new GetSecretValueCommand({ SecretId: `posthorn/${environment}` });
      const requested = new SecretsManagerClient(at(region)).send(command);
      const answer = await unless(['ResourceNotFoundException'], requested);
      if (answer?.SecretString === undefined) return undefined;
      return Object.keys(JSON.parse(answer.SecretString) as object);
    },
  };
}

/** A server that fails answers for a delegation to a zone that does not exist any more. */
const NOT_DELEGATED = ['ENOTFOUND', 'ENODATA', 'ESERVFAIL'];

async function nameServersOf(domain: string, resolveNs: ResolveNs): Promise<string[] | undefined> {
  try {
    return await resolveNs(domain);
  } catch (error) {
    return NOT_DELEGATED.includes(String((error as { code?: string }).code)) ? [] : undefined;
  }
}

/** Service Quotas knows the value of an account only after a change; before, the default holds. */
async function quotaOf(client: ServiceQuotasClient, need: QuotaNeed): Promise<number> {
  const input = { ServiceCode: need.serviceCode, QuotaCode: need.quotaCode };
  const applied = client.send(new GetServiceQuotaCommand(input));
  const answer =
    (await unless(['NoSuchResourceException'], applied)) ??
    (await client.send(new GetAWSDefaultServiceQuotaCommand(input)));
  return answer.Quota?.Value ?? 0;
}

/**
 * Tells the resources of a stack, by the tags that the program gives to them. Nodes have only those
 * of EKS.
 */
function isOwn({ environment, site }: Settings): (tags: readonly Tag[] | undefined) => boolean {
  const wanted: Readonly<Record<string, string>> = { platform: 'posthorn', environment, site };
  return (tags = []) => {
    const has = (key: string, value: string): boolean =>
      tags.some((tag) => tag.Key === key && tag.Value === value);
    return (
      has('eks:cluster-name', `posthorn-${environment}`) ||
      Object.entries(wanted).every(([key, value]) => has(key, value))
    );
  };
}

async function usedOf(
  client: EC2Client,
  { what }: QuotaNeed,
  own: (tags: readonly Tag[] | undefined) => boolean,
): Promise<number | undefined> {
  if (what === 'Elastic IP addresses') {
    const { Addresses = [] } = await client.send(new DescribeAddressesCommand({}));
    return Addresses.filter(({ Tags }) => !own(Tags)).length;
  }
  let used = 0;
  if (what === 'VPCs') {
    for await (const { Vpcs = [] } of paginateDescribeVpcs({ client }, {})) {
      used += Vpcs.filter(({ Tags }) => !own(Tags)).length;
    }
    return used;
  }
  if (what.startsWith('vCPUs')) {
    const spot = what.endsWith('spot');
    const Filters = [{ Name: 'instance-state-name', Values: ['pending', 'running'] }];
    for await (const { Reservations = [] } of paginateDescribeInstances({ client }, { Filters })) {
      for (const instance of Reservations.flatMap(({ Instances = [] }) => Instances)) {
        if (own(instance.Tags) || (instance.InstanceLifecycle === 'spot') !== spot) continue;
        const { CoreCount = 0, ThreadsPerCore = 1 } = instance.CpuOptions ?? {};
        used += CoreCount * ThreadsPerCore;
      }
    }
    return used;
  }
  return undefined;
}

async function certificateDomains(client: ACMClient): Promise<string[]> {
  const domains: string[] = [];
  const issued = { CertificateStatuses: ['ISSUED' as const] };
  for await (const { CertificateSummaryList = [] } of paginateListCertificates(
    { client },
    issued,
  )) {
    for (const { DomainName, SubjectAlternativeNameSummaries } of CertificateSummaryList) {
      domains.push(DomainName ?? '', ...(SubjectAlternativeNameSummaries ?? []));
    }
  }
  return domains;
}
