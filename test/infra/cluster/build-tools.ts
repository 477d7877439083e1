/**
 * `npm run tools:cluster`: builds the tools for the checks on a control plane that the cache lacks.
 * This takes long.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { provideGo } from '../go-toolchain.ts';
import { installTool } from '../install-tool.ts';
import { toolPath, toolsDirectory } from '../tools.ts';
import { makeClusterFiles } from './cluster-files.ts';
import { argoTools, clusterTools } from './cluster-tools.ts';

const TIMEOUT_MS = 2 * 3600_000;

await mkdir(toolsDirectory(), { recursive: true });
await provideGo(TIMEOUT_MS);
console.log('CRDs and stages');
await makeClusterFiles();
for (const tool of Object.values({ ...clusterTools, ...argoTools })) {
  const label = `${tool.name} ${tool.version}`;
  if (existsSync(toolPath(tool))) {
    console.log(`${label}: is there`);
    continue;
  }
  console.log(`${label}: is built`);
  await installTool(tool, TIMEOUT_MS);
}
