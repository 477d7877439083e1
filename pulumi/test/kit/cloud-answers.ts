/** AWS, for tests that have none. */
import type * as pulumi from '@pulumi/pulumi';

type AskedResource = Pick<pulumi.runtime.MockResourceArgs, 'type' | 'name' | 'inputs'>;
type AskedCall = Pick<pulumi.runtime.MockCallArgs, 'token' | 'inputs'>;

const SERVICES: Record<string, string> = { ec2: 'ec2', iam: 'iam', s3: 's3' };

/** The attributes that AWS returns for a created resource, as far as the program reads them. */
export function stateOf({ type, name, inputs }: AskedResource): Record<string, unknown> {
  const [, path = ''] = type.split(':');
  const service = path.split('/')[0] as string;
  const arn = `arn:aws:${SERVICES[service] ?? service}:::${inputs.bucket ?? inputs.name ?? name}`;
  return {
    arn,
    name,
    keyId: `${name}-key`,
    allocationId: `eipalloc-${name}`,
    publicIp: `198.51.100.${name.length}`,
    latestVersion: 1,
    endpoint: 'https://ABC.gr7.eks.example.com',
    certificateAuthority: { data: 'Q0E=' },
    repositoryUrl: `registry.example.com/${inputs.name ?? name}`,
    ...inputs,
    ...(type === 'aws:eks/cluster:Cluster' && {
      vpcConfig: { ...inputs.vpcConfig, clusterSecurityGroupId: 'sg-cluster' },
    }),
  };
}

/** @throws Error for a question that the program is not known to ask */
export function answerOf({ token, inputs }: AskedCall): Record<string, unknown> {
  switch (token) {
    case 'aws:ec2/getElasticIp:getElasticIp':
      return { ...inputs, publicIp: `203.0.113.${String(inputs.id).slice(-1)}` };
    case 'aws:kms/getAlias:getAlias':
      return { ...inputs, targetKeyArn: `arn:aws:kms:::${inputs.name}` };
    case 'aws:secretsmanager/getSecret:getSecret':
      return { ...inputs, arn: `arn:aws:secretsmanager:::secret:${inputs.name}-AbCdEf` };
    default:
      throw new Error(`The program asked for ${token}, of which this test knows nothing`);
  }
}
