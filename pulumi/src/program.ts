import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { NetworkAddOns, WorkloadAddOns } from './components/cluster/add-ons.ts';
import { Alerts } from './components/alerts.ts';
import { Backup } from './components/storage/backup.ts';
import { Cluster } from './components/cluster/cluster.ts';
import { EgressAddresses } from './components/network/egress-addresses.ts';
import {
  EncryptionKey,
  logKeyStatements,
  volumeKeyStatements,
} from './components/storage/encryption-key.ts';
import { GitopsBootstrap } from './components/cluster/gitops-bootstrap.ts';
import { ImageCache } from './components/images/image-cache.ts';
import { kubeconfigOf } from './components/cluster/kubeconfig.ts';
import { type EgressRule, Mongodb } from './components/storage/mongodb.ts';
import { Network } from './components/network/network.ts';
import { NodeGroups } from './components/cluster/node-groups.ts';
import { secretName } from './components/storage/secret-container.ts';
import { VpcEndpoints } from './components/network/vpc-endpoints.ts';
import { WorkloadIdentities } from './components/cluster/workload-identities.ts';
import type { Settings } from './config.ts';
import { createPrimaryData } from './primary-data.ts';
import { type PlatformContext, platformContext } from './platform-context.ts';
import { findRecoveryData } from './recovery-data.ts';
import type { SiteData } from './site-data.ts';

/** The outputs of a stack. */
export interface PlatformOutputs {
  /** For the lists of receivers: every address from which a webhook can come, spare ones too. */
  egressAddresses: pulumi.Output<string[]>;
  recoveryEgressAddresses: pulumi.Output<string[]>;
  /** For `egressAllocationIds` of the stack of the recovery site. */
  recoveryEgressAllocationIds: pulumi.Output<string[]>;
  clusterName: pulumi.Output<string>;
  kubeconfig: pulumi.Output<string>;
  imageRepository: pulumi.Output<string>;
  archiveBucket: pulumi.Output<string>;
  /** Entries for `network.egress` of charts/posthorn, in argocd/environments. */
  egress: pulumi.Output<readonly EgressRule[]>;
  /** Atlas and others ask for the id of the endpoint; empty without one. */
  mongodbPrivateEndpointId: pulumi.Output<string>;
}

interface Keys {
  cluster: pulumi.Output<string>;
  volume: pulumi.Output<string>;
  log: pulumi.Output<string>;
}

function createKeys(context: PlatformContext, opts: pulumi.ComponentResourceOptions): Keys {
  const { accountId, region } = context.settings;
  const { name } = context;
  const create = (purpose: string, description: string, statements: Keyed): pulumi.Output<string> =>
    new EncryptionKey(
      `${name}-${purpose}`,
      { context, purpose, region, description, statements },
      opts,
    ).arn;
  return {
    cluster: create('cluster', 'Secrets inside the cluster', []),
    volume: create(
      'volume',
      'Volumes of nodes, brokers and databases',
      volumeKeyStatements(accountId),
    ),
    log: create('log', 'Logs and alerts', logKeyStatements(context)),
  };
}
type Keyed = ReturnType<typeof volumeKeyStatements>;

interface Compute {
  cluster: Cluster;
  ready: pulumi.Resource[];
}

function createCompute(
  context: PlatformContext,
  network: Network,
  keys: Keys,
  opts: pulumi.ComponentResourceOptions,
): Compute {
  const { name } = context;
  const cluster = new Cluster(
    name,
    { context, network, clusterKeyArn: keys.cluster, logKeyArn: keys.log },
    opts,
  );
  const networkAddOns = new NetworkAddOns(name, { context, cluster }, opts);
  const nodeGroups = new NodeGroups(
    name,
    { context, cluster, network, volumeKeyArn: keys.volume, after: networkAddOns.addOns },
    opts,
  );
  const workloadAddOns = new WorkloadAddOns(
    name,
    { context, cluster, nodeGroups, volumeKeyArn: keys.volume },
    opts,
  );
  return { cluster, ready: [nodeGroups, workloadAddOns] };
}

/** Facts of the cloud for the charts, as annotations: text only, no secrets. */
function bridgeFacts(
  context: PlatformContext,
  site: SiteData,
  identities: WorkloadIdentities,
  keys: Keys,
  addresses: pulumi.Output<string[]>,
): Record<string, pulumi.Input<string>> {
  const { settings } = context;
  const roles = Object.entries(identities.roleArns).map(
    ([purpose, arn]) => [`role-${purpose}`, arn] as const,
  );
  return {
    'account-id': settings.accountId,
    region: settings.region,
    zones: settings.zones.join(','),
    standby: String(settings.standby),
    'cluster-name': context.name,
    'vpc-cidr': settings.vpcCidr,
    'image-repository': site.imageRepository,
    'archive-bucket': site.archiveBucket,
    'secret-name': secretName(context),
    'volume-key-arn': keys.volume,
    'mongodb-mode': settings.mongodbMode,
    'egress-addresses': addresses.apply((all) => all.join(',')),
    ...Object.fromEntries(roles),
  };
}

/** The addresses in use: made here, or made before in the recovery region and given. */
function egressOf(context: PlatformContext, opts: pulumi.ComponentResourceOptions) {
  const { egressAllocationIds, site, spareEgressAddresses } = context.settings;
  if (site === 'primary') {
    const { name } = context;
    const count = 3 + spareEgressAddresses;
    return new EgressAddresses(`${name}-egress`, { name, count }, opts);
  }
  const found = egressAllocationIds.map((id) => aws.ec2.getElasticIpOutput({ id }, opts));
  return {
    allocationIds: egressAllocationIds.map((id) => pulumi.output(id)),
    addresses: pulumi.all(found.map(({ publicIp }) => publicIp)),
  };
}

/** The whole platform of one stack. */
export function createPlatform(settings: Settings): PlatformOutputs {
  const context = platformContext(settings);
  const { name } = context;
  const { accountId, environment, site, region } = settings;
  const defaultTags = { tags: { platform: 'posthorn', environment, site } };
  const provider = (id: string, where: aws.Region): aws.Provider =>
    new aws.Provider(id, { region: where, allowedAccountIds: [accountId], defaultTags });
  const opts = { providers: { aws: provider('home', region as aws.Region) } };

  const keys = createKeys(context, opts);
  const egress = egressOf(context, { provider: opts.providers.aws });
  const network = new Network(
    name,
    { context, egressAllocationIds: egress.allocationIds, logKeyArn: keys.log },
    opts,
  );
  const imageCache = new ImageCache(`${name}-cache`, context, opts);
  new VpcEndpoints(name, { context, network }, opts);
  const { cluster, ready } = createCompute(context, network, keys, opts);
  const data =
    site === 'primary'
      ? createPrimaryData(context, opts, (where) => provider('recovery', where as aws.Region))
      : findRecoveryData(context, opts.providers.aws);
  const mongodb = new Mongodb(`${name}-mongodb`, { context, network, keyArn: data.keyArn }, opts);
  data.protectMongodb(mongodb.backupBucket);
  const backup = new Backup(
    name,
    {
      context,
      keyArn: data.keyArn,
      buckets: data.archive === undefined ? [] : [data.archive],
      copyVaultArn: data.copyVaultArn,
    },
    opts,
  );
  const identities = new WorkloadIdentities(
    name,
    {
      context,
      cluster,
      network,
      archiveBucketArn: data.archiveArn,
      dataKeyArn: data.keyArn,
      secretArn: data.secretArn,
      mongodbBackupArn: mongodb.backupBucket?.arn,
    },
    opts,
  );
  const { vaultName: backupVaultName } = backup;
  new Alerts(name, { context, network, backupVaultName, logKeyArn: keys.log }, opts);
  if (settings.argocd) {
    const facts = bridgeFacts(context, data, identities, keys, egress.addresses);
    new GitopsBootstrap(
      'argocd',
      {
        context,
        cluster,
        network,
        facts,
        volumeKeyArn: keys.volume,
        dependsOn: [...ready, identities, imageCache],
      },
      {},
    );
  }
  return {
    egressAddresses: egress.addresses,
    recoveryEgressAddresses: data.recoveryAddresses,
    recoveryEgressAllocationIds: data.recoveryAllocationIds,
    clusterName: cluster.name,
    kubeconfig: kubeconfigOf(context, cluster),
    imageRepository: data.imageRepository,
    archiveBucket: data.archiveBucket,
    egress: pulumi.output(mongodb.egress),
    mongodbPrivateEndpointId: mongodb.privateEndpointId ?? pulumi.output(''),
  };
}
