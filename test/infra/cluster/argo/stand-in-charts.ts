import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import { chartImages } from '../../../../pulumi/src/chart-images.ts';
import { projectRoot, projectText } from '../../../docs/project-files.ts';
import { helm } from '../../manifests.ts';

/** The chart references of argocd/apps/values.yaml. */
export interface AppsValues {
  repoURL: string;
  platform: Record<string, { repoURL: string; chart: string; version: string }>;
  argocd: { repoURL: string; version: string };
  nats: { repoURL: string; version: string };
}

const TEMPLATES = 'test/infra/cluster/argo/charts';

/** Kinds of the real charts that the stand-ins leave out: they call servers that do not run. */
export const leftOut = [
  'APIService',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
] as const;

/** Every chart that argocd/apps names, with its version. */
export function namedCharts(): { chart: string; version: string }[] {
  const values = parse(projectText('argocd/apps/values.yaml')) as AppsValues;
  return [
    ...Object.values(values.platform),
    { chart: 'argo-cd', version: values.argocd.version },
    { chart: 'nats', version: values.nats.version },
  ];
}

/** The images of a chart with its version as the tag, by the last parts of their names. */
export function imagesOf(chart: string, version: string): Record<string, string> {
  const images = chartImages[chart]?.images ?? [];
  return Object.fromEntries(images.map(({ image }) => [basename(image), `${image}:${version}`]));
}

/**
 * A chart repository on loopback. For each chart that argocd/apps names, it serves one of the same
 * name and version. The stand-in takes the values of the real chart, and creates its workloads with
 * the same images, ports, replicas, requests and storage classes. Its certificate is self-signed.
 */
export class StandInCharts {
  readonly url: string;
  private readonly server: Server;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.server = server;
  }

  static async serve(dir: string): Promise<StandInCharts> {
    const place = join(dir, 'charts');
    for (const { chart, version } of namedCharts()) {
      const source = join(dir, 'sources', chart);
      await mkdir(join(source, 'templates'), { recursive: true });
      const about = { apiVersion: 'v2', name: chart, version };
      await writeFile(join(source, 'Chart.yaml'), stringify(about));
      const values = { standIn: { images: imagesOf(chart, version) } };
      await writeFile(join(source, 'values.yaml'), stringify(values));
      for (const [from, to] of [
        ['_workload.tpl', '_workload.tpl'],
        [`${chart}.tpl`, 'objects.yaml'],
      ] as const) {
        await cp(join(projectRoot, TEMPLATES, from), join(source, 'templates', to));
      }
      await helm(['package', source, '--destination', place]);
    }
    await helm(['repo', 'index', place]);
    const { cert, key } = makeCertificate();
    const server = createServer({ cert, key }, (request, response) => {
      readFile(join(place, basename(request.url ?? ''))).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new StandInCharts(`https://127.0.0.1:${port}`, server);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => void this.server.close(resolve));
  }
}
