/**
 * Makes strict JSON schemas for kubeconform from published Go modules: the OpenAPI of Kubernetes
 * and the CRDs of the operators. Each kind has one file: `<kind>_<group>_<version>.json`, all in
 * lower case.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { goModuleFolder } from '../install-tool.ts';
import { toolsDirectory } from '../tools.ts';
import { CRDS, KUBERNETES } from './sources.ts';
import { type JsonObject, strict } from './strict.ts';

const TIMEOUT_MS = 300_000;

/** Increase this version when the format of the files changes. */
const FORM = 1;

export function schemasDirectory(): string {
  const of = JSON.stringify([FORM, KUBERNETES, CRDS]);
  const hash = createHash('sha256').update(of).digest('hex').slice(0, 12);
  return join(toolsDirectory(), `schemas-${hash}`);
}

/**
 * Creates the schemas if they do not exist.
 *
 * @throws Error if a module cannot be fetched
 */
export async function makeSchemas(say: (line: string) => void): Promise<void> {
  const place = schemasDirectory();
  if (existsSync(place)) return;
  say('making the schemas of Kubernetes and of the operators');
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  try {
    const schemas = kubernetesSchemas(await goModuleFolder(KUBERNETES, TIMEOUT_MS));
    for (const [module, pattern] of Object.entries(CRDS)) {
      const folder = await goModuleFolder(module, TIMEOUT_MS);
      const files = globSync(pattern, { cwd: folder });
      if (files.length === 0) throw new Error(`${module} has no ${pattern}`);
      for (const file of files) {
        for (const schema of crdSchemas(readFileSync(join(folder, file), 'utf8'))) {
          schemas.push(schema);
        }
      }
    }
    for (const { name, schema } of schemas) {
      await writeFile(join(dir, `${name}.json`), JSON.stringify(schema));
    }
    await rename(dir, place);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface NamedSchema {
  name: string;
  schema: JsonObject;
}

/** kubeconform names the file of the core group by its version. */
function nameOf(kind: string, group: string, version: string): string {
  return `${kind}_${group === '' ? version : group}_${version}`.toLowerCase();
}

interface Definition extends JsonObject {
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

function kubernetesSchemas(folder: string): NamedSchema[] {
  const file = join(folder, 'api/openapi-spec/swagger.json');
  const { definitions } = JSON.parse(readFileSync(file, 'utf8')) as {
    definitions: Record<string, Definition>;
  };
  const out: NamedSchema[] = [];
  for (const definition of Object.values(definitions)) {
    const kinds = definition['x-kubernetes-group-version-kind'] ?? [];
    const [first] = kinds;
    // Kinds that many groups share are parts of other objects.
    if (first === undefined || kinds.length > 1) continue;
    const name = nameOf(first.kind, first.group, first.version);
    out.push({ name, schema: strict(definition, definitions) });
  }
  return out;
}

function crdSchemas(text: string): NamedSchema[] {
  const out: NamedSchema[] = [];
  for (const document of parseAllDocuments(text)) {
    const crd = document.toJS() as {
      kind?: string;
      spec: {
        group: string;
        names: { kind: string };
        versions: { name: string; schema?: { openAPIV3Schema: JsonObject } }[];
      };
    } | null;
    if (crd?.kind !== 'CustomResourceDefinition') continue;
    for (const { name, schema } of crd.spec.versions) {
      if (schema === undefined) continue;
      const { group, names } = crd.spec;
      out.push({
        name: nameOf(names.kind, group, name),
        schema: strict(schema.openAPIV3Schema, {}),
      });
    }
  }
  return out;
}
