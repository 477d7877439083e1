/** The charts of others that a stack installs, with the values that each of them gets. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { ChartValues } from '../../src/chart-images.ts';
import { onlyOf } from './find-resources.ts';
import { recordPlatform } from './record-platform.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): unknown => parse(readFileSync(new URL(path, ROOT), 'utf8'));

export interface InstalledChart {
  chart: string;
  version: string;
  repoURL: string;
  namespace: string;
  /** Later values precede earlier ones, as files of `helm --values`. */
  values: ChartValues[];
}

interface AppsValues {
  platform: Record<string, Omit<InstalledChart, 'values'> & { values?: ChartValues }>;
  argocd: { repoURL: string; version: string };
  nats: { repoURL: string; version: string };
}

/**
 * Returns every chart that `argocd/apps` can install, the optional ones too, with the values of Git
 * and those that the program of the stack adds: the names of cached images.
 */
export async function installedCharts(stack: string): Promise<InstalledChart[]> {
  const { resources } = await recordPlatform(stack);
  const { spec } = onlyOf(resources, 'argoproj.io/v1alpha1:Application').inputs as {
    spec: { source: { helm: { valuesObject: { platform: AppsValues['platform'] } } } };
  };
  const added = spec.source.helm.valuesObject.platform;
  const apps = read('argocd/apps/values.yaml') as AppsValues;
  const argocd = onlyOf(resources, 'helm.sh/v3:Release').inputs['values'] as ChartValues;
  const platform = Object.entries(apps.platform).map(([name, { values = {}, ...of }]) => ({
    ...of,
    values: [values, added[name]?.values ?? {}],
  }));
  return [
    ...platform,
    {
      ...apps.argocd,
      chart: 'argo-cd',
      namespace: 'argocd',
      values: [read('argocd/install/values.yaml') as ChartValues, argocd],
    },
    {
      ...apps.nats,
      chart: 'nats',
      namespace: 'nats',
      values: [read('charts/nats/values.yaml') as ChartValues],
    },
  ];
}
