import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { makeCertificate } from '../../kit/network/certificates.ts';
import { projectText } from '../../docs/project-files.ts';
import { helm } from '../manifests.ts';

/** The chart references of argocd/apps/values.yaml. */
export interface AppsValues {
  repoURL: string;
  platform: Record<string, { repoURL: string; chart: string; version: string }>;
  nats: { repoURL: string; version: string };
}

/**
 * A chart repository on loopback. For each chart that argocd/apps names, it serves one of the same
 * name and version that creates a ConfigMap. Its certificate is self-signed.
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
    const { platform, nats } = parse(projectText('argocd/apps/values.yaml')) as AppsValues;
    for (const { chart, version } of [
      ...Object.values(platform),
      { chart: 'nats', version: nats.version },
    ]) {
      const source = join(dir, 'sources', chart);
      await mkdir(join(source, 'templates'), { recursive: true });
      const about = { apiVersion: 'v2', name: chart, version };
      await writeFile(join(source, 'Chart.yaml'), stringify(about));
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: chart } };
      await writeFile(join(source, 'templates/map.yaml'), stringify(map));
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
