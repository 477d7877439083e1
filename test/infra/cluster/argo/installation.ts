/**
 * An environment that Argo CD installs from empty: a control plane with the nodes of its stack, a
 * repository with charts/ and argocd/, and stand-ins of the charts of others.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { foundationOf, rootOf } from '../../argocd/environments.ts';
import { at, type Manifest, only } from '../../manifests.ts';
import { tools, without } from '../../tools.ts';
import { operatorKinds, stagesFile } from '../cluster-files.ts';
import { argoTools, clusterTools, withoutCluster } from '../cluster-tools.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import type { KubeObject } from '../kube-api.ts';
import { makeNodes } from '../zones.ts';
import { type ArgoCd, startArgoCd } from './argo-cd.ts';
import { GitRepository } from './git-repository.ts';
import { operatorStages } from './operator-stages.ts';
import { poolsOf } from './stack-pools.ts';
import { StandInCharts } from './stand-in-charts.ts';
import { provisionVolumes } from './volumes.ts';

/** For the option `skip` of a test. */
export const withoutArgo = (): string | false =>
  without(tools.helm) ||
  withoutCluster(...Object.values(clusterTools), ...Object.values(argoTools));

/** Generous, because the machine may be busy with other work. */
export const patience = { deadlineMs: 420_000, intervalMs: 250 };

export class Installation {
  readonly environment: string;
  readonly plane: ControlPlane;
  readonly repository: GitRepository;
  private readonly argo: ArgoCd;
  private readonly release: () => Promise<void>;

  private constructor(parts: {
    environment: string;
    plane: ControlPlane;
    repository: GitRepository;
    argo: ArgoCd;
    release: () => Promise<void>;
  }) {
    this.environment = parts.environment;
    this.plane = parts.plane;
    this.repository = parts.repository;
    this.argo = parts.argo;
    this.release = parts.release;
  }

  /** Starts everything and applies the root application, as the guide says. */
  static async start(environment: string): Promise<Installation> {
    const ends: (() => Promise<void>)[] = [];
    const release = async (): Promise<void> => {
      for (const end of ends.toReversed()) await end();
    };
    try {
      const dir = await makeTempDir();
      ends.push(() => dir.remove());
      const charts = await StandInCharts.serve(dir.path);
      ends.push(() => charts.close());
      const repository = await GitRepository.make(dir.path, charts.url);
      const stages = join(dir.path, 'stages.yaml');
      await writeFile(stages, `${await readFile(stagesFile(), 'utf8')}\n---\n${operatorStages()}`);
      const plane = await startControlPlane(operatorKinds, stages);
      ends.push(() => plane.stop());
      await makeNodes(plane.api, poolsOf(environment));
      const argo = await startArgoCd(plane, { dir: dir.path, charts: charts.url });
      ends.push(() => argo.stop());
      await plane.api.apply(await storageClassOfCloud(environment));
      const root = rootOf(environment);
      const source = { ...(at(root, 'spec', 'source') as object), repoURL: repository.url };
      await plane.api.apply({ ...root, spec: { ...root.spec, source } });
      return new Installation({ environment, plane, repository, argo, release });
    } catch (error) {
      await release();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.release();
  }

  application(name: string): Promise<KubeObject> {
    const metadata = { name, namespace: 'argocd' };
    return this.plane.api.get({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata,
    });
  }

  /**
   * @throws Error that says what the application looked like, and which program has ended, at the
   * deadline
   */
  untilApplication(
    name: string,
    is: (status: Record<string, unknown>) => boolean,
    what: string,
  ): Promise<KubeObject> {
    const there = async (): Promise<KubeObject> => {
      await provisionVolumes(this.plane.api);
      const found = await this.application(name);
      const { status = {} } = found;
      if (is(status)) return found;
      throw new Error([JSON.stringify(await this.stateOf(status)), ...this.faults()].join('\n'));
    };
    return waitUntil(there, { ...patience, what: `${name} ${what}` });
  }

  /** Waits until the cluster has the state of this commit and is healthy. */
  inForce(name: string, commit?: string): Promise<KubeObject> {
    const is = ({ sync, health, operationState }: Record<string, unknown>): boolean =>
      at(sync, 'status') === 'Synced' &&
      at(health, 'status') === 'Healthy' &&
      at(operationState, 'phase') === 'Succeeded' &&
      (commit === undefined || at(sync, 'revision') === commit);
    return this.untilApplication(name, is, 'is in force');
  }

  private async stateOf(status: Record<string, unknown>): Promise<unknown[]> {
    const { sync, health, operationState, conditions, resources } = status;
    const open = (resources as object[] | undefined)?.filter(
      (one) => at(one, 'status') !== 'Synced',
    );
    const pods = await this.plane.api.list('v1', 'Pod');
    const waiting = pods
      .filter((pod) => pod.status?.['phase'] === 'Pending')
      .map((pod) => [pod.metadata.name, at(pod.status, 'conditions', 0, 'message')]);
    return [at(sync, 'status'), health, at(operationState, 'message'), conditions, open, waiting];
  }

  private faults(): string[] {
    const { kwok } = this.plane;
    return [...this.argo.faults(), ...(kwok.ended ? [kwok.output] : [])];
  }
}

/**
 * The storage class as the cloud program creates it, before Argo CD runs: that of the foundation
 * with the key of volumes. Its parameters cannot be changed later.
 */
async function storageClassOfCloud(environment: string): Promise<Manifest> {
  const found = only(await foundationOf(environment), 'StorageClass', 'gp3');
  const parameters = { ...(at(found, 'parameters') as object), kmsKeyId: 'arn:aws:kms:::volumes' };
  return { ...found, parameters } as Manifest;
}
