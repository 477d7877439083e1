import { newestClusterVersion } from './cluster-versions.ts';

export type SettingKind = 'text' | 'integer' | 'flag' | 'list';

/** One setting of a stack: the rule that its text has to obey, and the words for a human. */
export interface SettingRule<Kind extends SettingKind = SettingKind> {
  kind: Kind;
  /** The allowed values, in words, for the error and the documentation. */
  allowed: string;
  description: string;
  /** Without one the key has to be given. As `Pulumi.<stack>.yaml` would contain it. */
  default?: string;
  /** Of a text, or of each item of a list. */
  pattern?: RegExp;
  min?: number;
  max?: number;
  /** The value must not appear in an error. */
  secret?: boolean;
  /** Of an integer. */
  oneOf?: readonly number[];
}

const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;
const GRAVITON = /^[a-z]+\d+g[a-z]*\.[a-z0-9]+$/;
const CIDR = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;
const LOG_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 731] as const;
const RETENTION = `one of ${LOG_DAYS.join(', ')}`;
const INSTANCE_TYPE = 'an arm64 (Graviton) instance type such as m8g.large';

const text = (allowed: string, pattern: RegExp, description: string): SettingRule<'text'> => ({
  kind: 'text',
  allowed,
  pattern,
  description,
});
const integer = (
  min: number,
  max: number,
  fallback: number,
  description: string,
): SettingRule<'integer'> => ({
  kind: 'integer',
  allowed: `a whole number from ${min} to ${max}`,
  min,
  max,
  default: String(fallback),
  description,
});
const flag = (fallback: boolean, description: string): SettingRule<'flag'> => ({
  kind: 'flag',
  allowed: 'true or false',
  default: String(fallback),
  description,
});
const list = (allowed: string, pattern: RegExp, description: string): SettingRule<'list'> => ({
  kind: 'list',
  allowed,
  pattern,
  description,
  max: 20,
});

/** Every key of a stack's configuration, without the `posthorn:` before it. */
export const settingTable = {
  environment: text('dev, stage or prod', /^(dev|stage|prod)$/, 'Part of every name'),
  site: {
    ...text(
      'primary or recovery',
      /^(primary|recovery)$/,
      'recovery: the same platform in the region that holds the copies, see below',
    ),
    default: 'primary',
  },
  accountId: text(
    'the 12 digits of the AWS account',
    /^\d{12}$/,
    'The only account that the program touches; other credentials are refused',
  ),
  region: text('an AWS region such as eu-central-1', REGION, 'Where everything is'),
  zones: {
    ...list(
      'three different availability zones of the region',
      /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/,
      'Written down, so that the same program always creates the same network',
    ),
    min: 3,
    max: 3,
  },
  vpcCidr: {
    ...text('a private /16 network', CIDR, 'Three /19 private and three /24 public subnets'),
    default: '10.40.0.0/16',
  },
  spareEgressAddresses: integer(0, 5, 0, 'Published addresses that no NAT gateway uses yet'),
  egressAllocationIds: {
    ...list(
      'allocation ids such as eipalloc-0a1b2c3d',
      /^eipalloc-[0-9a-f]{8,17}$/,
      'site recovery: the three or more addresses that the primary stack has published for it',
    ),
    default: '[]',
  },
  interfaceEndpoints: flag(
    false,
    'Private endpoints of ECR, STS, KMS and others; costs, see below',
  ),
  apiClientCidrs: {
    ...list(
      'private networks such as 10.1.0.0/16',
      CIDR,
      'Networks, in addition to the nodes, that reach the private Kubernetes API: a VPN, a build runner',
    ),
    default: '[]',
  },
  apiTunnelUrl: {
    ...text(
      'https://127.0.0.1:PORT, or empty',
      /^(https:\/\/(127\.0\.0\.1|localhost):\d{2,5})?$/,
      'Where a tunnel to the private Kubernetes API ends, for a first start from outside the VPC',
    ),
    default: '',
  },
  clusterVersion: {
    ...text(
      `a Kubernetes version such as ${newestClusterVersion}`,
      /^1\.(3[5-9]|4\d)$/,
      'Version of EKS; it has to have 90 days of standard support left',
    ),
    default: newestClusterVersion,
  },
  clusterAdminRoleArns: {
    ...list(
      'one or more ARNs of IAM roles',
      /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
      'Who administers the cluster; the role that runs `pulumi up` has to be among them',
    ),
    min: 1,
  },
  systemInstanceType: {
    ...text(INSTANCE_TYPE, GRAVITON, 'Three nodes for the platform around Posthorn'),
    default: 'm8g.large',
  },
  natsInstanceType: {
    ...text(INSTANCE_TYPE, GRAVITON, 'One node per zone, for the brokers alone'),
    default: 'm8g.xlarge',
  },
  workerInstanceTypes: {
    ...list('one or more arm64 (Graviton) instance types', GRAVITON, 'Nodes of Posthorn'),
    min: 1,
    max: 10,
    default: '["c8g.xlarge","c7g.xlarge"]',
  },
  workerNodesMin: integer(0, 100, 3, 'Smallest number of worker nodes; 0 only for a standby'),
  workerNodesMax: integer(3, 300, 9, 'Largest number of worker nodes'),
  workerSpot: flag(false, 'Worker nodes on spare capacity that AWS may take back'),
  mongodbMode: text(
    'external or operator',
    /^(external|operator)$/,
    'external: Atlas or any other replica set by its URI. operator: nodes, backup bucket and ' +
      'identity for an operator in the cluster',
  ),
  mongodbEndpointService: {
    ...text(
      'a name such as com.amazonaws.vpce.eu-central-1.vpce-svc-0a1b2c3d, or empty',
      /^(com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]{8,17})?$/,
      'mode external: the PrivateLink service of the MongoDB provider',
    ),
    default: '',
  },
  mongodbInstanceType: {
    ...text(INSTANCE_TYPE, GRAVITON, 'mode operator: one node per zone'),
    default: 'r8g.large',
  },
  archiveExpireDays: integer(180, 3650, 400, 'After how many days archived events are deleted'),
  backupRetentionDays: integer(7, 365, 35, 'How long a daily backup is kept, here and in recovery'),
  logRetentionDays: {
    ...integer(1, 731, 90, 'How long audit and flow logs are kept'),
    allowed: RETENTION,
    oneOf: LOG_DAYS,
  },
  recoveryRegion: {
    ...text(
      'another AWS region, or empty',
      /^([a-z]{2}(-[a-z]+)+-\d)?$/,
      'Holds copies of archive, images, secrets and backups, and addresses; prod must have one',
    ),
    default: '',
  },
  standby: flag(false, 'site recovery: waiting, with no worker node, until it takes over'),
  monthlyBudgetUsd: text(
    'whole US dollars, 1 or more',
    /^[1-9]\d{0,6}$/,
    'Alerts at 50, 80 and 100 % spent and 100 % forecast',
  ),
  alertEmails: {
    ...list('one to ten e-mail addresses', /^[^@\s]+@[^@\s]+\.[^@\s]+$/, 'Who gets the alerts'),
    min: 1,
    max: 10,
  },
  argocd: flag(true, 'Install ArgoCD and the root application; needs a way to the Kubernetes API'),
  argocdChartVersion: {
    ...text('a version such as 9.1.0', /^\d+\.\d+\.\d+$/, 'Version of the chart argo-cd'),
    default: '9.1.0',
  },
  gitRepository: text(
    'an https:// or ssh:// URL, or git@host:path',
    /^(https:\/\/|ssh:\/\/|git@)\S+$/,
    'The repository that ArgoCD follows',
  ),
  gitCredentials: {
    ...text(
      '{"username":"…","password":"…"} for https://, {"sshPrivateKey":"…"} for ssh, or empty',
      /^(\{.*\})?$/s,
      'Of a private repository; give it with `pulumi config set --secret`',
    ),
    default: '',
    secret: true,
  },
  gitRevision: { ...text('a branch or tag', /^[\w./-]+$/, 'Of the repository'), default: 'main' },
  gitPath: {
    ...text('a path inside the repository', /^\w[\w-]*(\/\w[\w.-]*)*$/, 'Of the root application'),
    default: 'argocd/apps',
  },
} as const satisfies Record<string, SettingRule>;
