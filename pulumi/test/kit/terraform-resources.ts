/**
 * Converts recorded resources to Terraform, so that the provider of AWS can validate them: Pulumi's
 * provider is built on it.
 */
import type { Recorded } from './record-platform.ts';

/** The part of `terraform providers schema -json` that is looked at. */
export interface SchemaBlock {
  attributes?: Record<string, unknown>;
  block_types?: Record<string, { block: SchemaBlock }>;
}
export type ResourceSchemas = Readonly<Record<string, { block: SchemaBlock }>>;

type Body = Record<string, unknown>;

const KEY = '12345678-1234-1234-1234-123456789012';
const TEMPLATE = 'lt-0123456789abcdef0';

const snake = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();

/** Names that are not the other's in snake case, or in the singular. */
const TYPES: Readonly<Record<string, string>> = {
  aws_s3_bucket_replication_config: 'aws_s3_bucket_replication_configuration',
};
const KEYS: Readonly<Record<string, string>> = {
  'aws_cloudwatch_metric_alarm.name': 'alarm_name',
  'aws_sns_topic_subscription.topic': 'topic_arn',
};

function terraformType(type: string, schemas: ResourceSchemas): string {
  const [, path = ''] = type.split(':');
  const [service = '', resource = ''] = path.split('/');
  const full = `aws_${service}_${snake(resource)}`;
  const found = [TYPES[full] ?? full, `aws_${snake(resource)}`].find((name) => name in schemas);
  if (found === undefined) throw new Error(`The provider has no resource for ${type}`);
  return found;
}

/** Ids and ARNs of the mock, in the form in which AWS would have given them. */
function lifelike(text: string): string {
  return text
    .replace(/arn:aws:kms:::[^"\\]*/g, `arn:aws:kms:eu-central-1:123456789012:key/${KEY}`)
    .replace(/arn:aws:iam:::/g, 'arn:aws:iam::123456789012:role/')
    .replace(/arn:aws:sns:::/g, 'arn:aws:sns:eu-central-1:123456789012:')
    .replace(
      /arn:aws:(?!s3:|iam:|kms:|sns:)([a-z0-9]+):::\/?/g,
      'arn:aws:$1:eu-central-1:123456789012:x/',
    );
}

/** Security groups have lists of objects where others have blocks: every key has to be there. */
function securityGroupRule(rule: Body): Body {
  const { cidrBlocks, fromPort, toPort, protocol } = rule;
  const none = { ipv6_cidr_blocks: [], prefix_list_ids: [], security_groups: [] };
  const ports = { from_port: fromPort, to_port: toPort, protocol };
  return { ...none, ...ports, cidr_blocks: cidrBlocks, description: '', self: false };
}

function convertBlock(where: string, block: SchemaBlock, given: Body): Body {
  const body: Body = {};
  for (const [key, value] of Object.entries(given)) {
    const name = KEYS[`${where}.${key}`] ?? snake(key);
    const names = [name, name.replace(/ies$/, 'y'), name.replace(/s$/, ''), `${name}s`];
    const attribute = names.find((candidate) => block.attributes?.[candidate] !== undefined);
    const nested = names.find((candidate) => block.block_types?.[candidate] !== undefined);
    if (attribute !== undefined) {
      body[attribute] = value;
    } else if (nested !== undefined) {
      const inner = block.block_types?.[nested]?.block ?? {};
      body[nested] = [value]
        .flat()
        .map((item) => convertBlock(`${where}.${nested}`, inner, item as Body));
    } else {
      body[name] = value;
    }
  }
  return body;
}

/** A `main.tf.json` of resources of AWS; those of others are left out. */
export function terraformOf(
  resources: readonly Recorded[],
  schemas: ResourceSchemas,
): { resource: Record<string, Record<string, Body>> } {
  const resource: Record<string, Record<string, Body>> = {};
  for (const { type, name, inputs } of resources) {
    if (!type.startsWith('aws:')) continue;
    const terraform = terraformType(type, schemas);
    const given = JSON.parse(lifelike(JSON.stringify(inputs))) as Body;
    if (terraform === 'aws_security_group') {
      given['ingress'] = (given['ingress'] as Body[]).map(securityGroupRule);
    }
    if (terraform === 'aws_eks_node_group') {
      given['launchTemplate'] = { ...(given['launchTemplate'] as Body), id: TEMPLATE };
    }
    const of = (resource[terraform] ??= {});
    of[name.replace(/\W/g, '_')] = convertBlock(terraform, schemas[terraform]?.block ?? {}, given);
  }
  return { resource };
}
