/** Renders the manifests of an environment as Argo CD does. */
import { join } from 'node:path';
import { projectText } from '../../docs/project-files.ts';
import { at, type Manifest, only, parseManifests, render } from '../manifests.ts';

export const environments = ['dev', 'stage', 'prod'] as const;

/** The root application, which an operator applies once by hand. */
export function rootOf(environment: string): Manifest {
  return parseManifests(projectText(`argocd/bootstrap/${environment}.yaml`))[0] as Manifest;
}

/** The projects and applications that the root application renders. */
export async function applicationsOf(environment: string): Promise<Manifest[]> {
  const { spec } = rootOf(environment);
  const path = at(spec, 'source', 'path') as string;
  const files = at(spec, 'source', 'helm', 'valueFiles') as string[];
  return render(path, { release: 'root', values: files.map((file) => join(path, file)) });
}

export async function posthornOf(environment: string): Promise<Manifest[]> {
  const ours = only(await applicationsOf(environment), 'Application', 'posthorn');
  const files = at(ours, 'spec', 'source', 'helm', 'valueFiles') as string[];
  return render(at(ours, 'spec', 'source', 'path') as string, {
    values: files.map((file) => file.replace(/^\//, '')),
  });
}

export async function foundationOf(environment: string): Promise<Manifest[]> {
  return foundationFrom(await applicationsOf(environment));
}

/** The foundation, with the values of its application. */
export async function foundationFrom(applications: Manifest[]): Promise<Manifest[]> {
  const application = only(applications, 'Application', 'foundation');
  const values = at(application, 'spec', 'source', 'helm', 'valuesObject') as object;
  const set = Object.entries(values).map(([key, value]) =>
    Array.isArray(value) ? `${key}={${value.join(',')}}` : `${key}=${value}`,
  );
  return render('argocd/foundation', { release: 'foundation', set });
}
