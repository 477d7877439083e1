import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { type Manifest, render } from '../manifests.ts';

/**
 * Renders charts/posthorn with `values` as a values file and a fixed image tag.
 *
 * @throws Error with the message of helm
 */
export async function renderValues(values: object, release = 'posthorn'): Promise<Manifest[]> {
  const dir = await makeTempDir();
  try {
    const file = join(dir.path, 'values.json');
    writeFileSync(file, JSON.stringify(values));
    return await render('charts/posthorn', { release, set: ['image.tag=abc'], values: [file] });
  } finally {
    await dir.remove();
  }
}
