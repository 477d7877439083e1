import * as kubernetes from '@pulumi/kubernetes';
import * as pulumi from '@pulumi/pulumi';
import { withCachedImages } from '../../chart-images.ts';
import { readGitCredentials } from '../../config.ts';
import { type PlatformContext, bucketName } from '../../platform-context.ts';
import { clusterServices } from './cluster-services.ts';
import type { Cluster } from './cluster.ts';
import { imageCacheOf } from '../images/image-cache.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import type { Network } from '../network/network.ts';
import { POOL_LABEL } from './node-groups.ts';
import { secretName } from '../storage/secret-container.ts';

export interface GitopsBootstrapArgs {
  context: PlatformContext;
  cluster: Cluster;
  /** What charts have to know of the cloud; becomes annotations of the cluster's Secret. */
  facts: Record<string, pulumi.Input<string>>;
  network: Network;
  volumeKeyArn: pulumi.Input<string>;
  /** Pods need nodes, names and addresses. */
  dependsOn: pulumi.Resource[];
}

const NAMESPACE = 'argocd';
const SERVER = 'https://kubernetes.default.svc';
const REPOSITORY = 'https://argoproj.github.io/argo-helm';

/**
 * Without it sync waves between applications do not wait for one another: as
 * argocd/install/values.yaml says it.
 */
const APPLICATION_HEALTH = [
  'local status = obj.status or {}',
  'local sync = status.sync or {}',
  'local operation = status.operationState or {}',
  'local synced = sync.status == "Synced" and operation.phase ~= "Running"',
  'local ended = operation.phase == "Succeeded" and (status.reconciledAt or "") >= operation.finishedAt',
  'hs = { status = "Progressing", message = operation.message or "" }',
  'if (synced or ended) and status.health ~= nil then',
  '  hs.status = status.health.status or "Progressing"',
  '  hs.message = status.health.message or ""',
  'elseif operation.phase == "Failed" or operation.phase == "Error" then',
  '  hs.status = "Degraded"',
  'end',
  'return hs',
  '',
].join('\n');

/**
 * The objects of this program inside the cluster: Argo CD, the Secret with the facts of the cloud,
 * the class of volumes, and one root application. Argo CD owns every other object.
 */
export class GitopsBootstrap extends pulumi.ComponentResource {
  constructor(name: string, args: GitopsBootstrapArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:kubernetes:GitopsBootstrap', name, {}, opts);
    const { context, cluster } = args;
    const provider = new kubernetes.Provider(
      name,
      {
        kubeconfig: kubeconfigOf(context, cluster),
        enableServerSideApply: true,
        // An unreachable cluster is an error, never a reason to drop its objects from the state.
        deleteUnreachable: false,
      },
      { parent: this, dependsOn: [...cluster.access, ...args.dependsOn] },
    );
    const own = { parent: this, provider };
    const namespace = new kubernetes.core.v1.Namespace(
      name,
      { metadata: { name: NAMESPACE } },
      own,
    );
    const release = new kubernetes.helm.v3.Release(
      name,
      {
        name: 'argocd',
        chart: 'argo-cd',
        version: context.settings.argocdChartVersion,
        repositoryOpts: { repo: REPOSITORY },
        namespace: namespace.metadata.name,
        atomic: true,
        timeout: 900,
        values: argocdValues(context),
      },
      // It keeps itself up to date by Git; a second `pulumi up` must not take that back.
      { ...own, ignoreChanges: ['values', 'version'] },
    );
    const bridge = this.createBridge(name, args, { ...own, dependsOn: [release] });
    const storage = this.createStorageClass(name, args, own);
    const access = this.createRepositoryAccess(name, context, own);
    // Two sites must not deliver at the same time: a standby has Argo CD, and no application.
    if (!context.settings.standby) {
      this.createRoot(name, args, { ...own, dependsOn: [release, bridge, storage, ...access] });
    }
    this.registerOutputs();
  }

  /** Lets Argo CD read a private repository: before the root application, which is in it. */
  private createRepositoryAccess(
    name: string,
    { settings }: PlatformContext,
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource[] {
    const credentials = readGitCredentials(settings);
    if (credentials === undefined) return [];
    const fields = { type: 'git', url: settings.gitRepository, ...credentials };
    const secret = new kubernetes.core.v1.Secret(
      `${name}-repository`,
      {
        metadata: {
          name: 'posthorn-repository',
          namespace: NAMESPACE,
          labels: { 'argocd.argoproj.io/secret-type': 'repository' },
        },
        stringData: pulumi.secret(fields),
      },
      opts,
    );
    return [secret];
  }

  private createBridge(
    name: string,
    args: GitopsBootstrapArgs,
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource {
    const { environment, site } = args.context.settings;
    const annotations = Object.fromEntries(
      Object.entries(args.facts).map(([key, value]) => [`posthorn.dev/${key}`, value]),
    );
    return new kubernetes.core.v1.Secret(
      `${name}-cluster`,
      {
        metadata: {
          name: 'in-cluster',
          namespace: NAMESPACE,
          labels: {
            'argocd.argoproj.io/secret-type': 'cluster',
            'posthorn.dev/environment': environment,
            'posthorn.dev/site': site,
          },
          annotations,
        },
        stringData: {
          name: 'in-cluster',
          server: SERVER,
          config: JSON.stringify({ tlsClientConfig: { insecure: false } }),
        },
      },
      opts,
    );
  }

  /** What volumes of brokers and databases are: the key is known here alone. */
  private createStorageClass(
    name: string,
    args: GitopsBootstrapArgs,
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource {
    return new kubernetes.storage.v1.StorageClass(
      name,
      {
        metadata: {
          name: 'gp3',
          annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
        },
        provisioner: 'ebs.csi.aws.com',
        parameters: { type: 'gp3', encrypted: 'true', kmsKeyId: args.volumeKeyArn },
        // A volume is made in the zone of its pod, not before there is one.
        volumeBindingMode: 'WaitForFirstConsumer',
        allowVolumeExpansion: true,
        reclaimPolicy: 'Retain',
      },
      opts,
    );
  }

  private createRoot(
    name: string,
    { context, network }: GitopsBootstrapArgs,
    opts: pulumi.CustomResourceOptions,
  ): void {
    const { environment, region, gitRepository, gitRevision, gitPath } = context.settings;
    const values = {
      environment,
      region,
      repoURL: gitRepository,
      revision: gitRevision,
      remoteKey: secretName(context),
      mongodb: mongodbValues(context),
      platform: clusterServices(context, network),
      // Git has its version; it keeps these values when it upgrades itself.
      argocd: { values: argocdValues(context) },
    };
    new kubernetes.apiextensions.CustomResource(
      `${name}-root`,
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Application',
        metadata: { name: 'root', namespace: NAMESPACE },
        spec: {
          project: 'default',
          source: {
            repoURL: gitRepository,
            targetRevision: gitRevision,
            path: gitPath,
            helm: {
              valueFiles: [`../environments/${environment}/apps.yaml`],
              valuesObject: values,
            },
          },
          destination: { server: SERVER, namespace: NAMESPACE },
          syncPolicy: {
            // An application that a line too few would remove may hold the brokers.
            automated: { prune: false, selfHeal: true },
            syncOptions: ['ServerSideApply=true', 'RespectIgnoreDifferences=true'],
            retry: {
              // Without end: a secret that a person adds later needs no new commit.
              limit: -1,
              // A commit repairs it, and does not have to wait for the tries of the one
              // before.
              refresh: true,
              backoff: { duration: '10s', factor: 2, maxDuration: '5m' },
            },
          },
        },
      },
      opts,
    );
  }
}

/** Where MongoDB is, and where its operator puts its backups. */
function mongodbValues(context: PlatformContext): Record<string, unknown> {
  const { backupRetentionDays, mongodbMode, region } = context.settings;
  if (mongodbMode === 'external') return { mode: mongodbMode };
  const backupBucket = bucketName(context, 'mongodb-backup', region);
  return { mode: mongodbMode, backupBucket, backupDays: backupRetentionDays };
}

function argocdValues(context: PlatformContext): Record<string, unknown> {
  return withCachedImages('argo-cd', imageCacheOf(context), {
    global: { nodeSelector: { [POOL_LABEL]: 'system' } },
    'redis-ha': { enabled: true },
    controller: { replicas: 1 },
    server: { replicas: 2, pdb: { enabled: true, minAvailable: 1 } },
    repoServer: { replicas: 2, pdb: { enabled: true, minAvailable: 1 } },
    applicationSet: { replicas: 2, pdb: { enabled: true, minAvailable: 1 } },
    dex: { enabled: false },
    configs: {
      cm: {
        'admin.enabled': true,
        // Two applications that make the same object are seen.
        'application.resourceTrackingMethod': 'annotation',
        'exec.enabled': false,
        'resource.customizations.health.argoproj.io_Application': APPLICATION_HEALTH,
      },
    },
  });
}
