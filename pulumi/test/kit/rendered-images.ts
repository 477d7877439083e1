/** The images that rendered charts name, compared with the list of `chart-images.ts`. */
import { parseAllDocuments } from 'yaml';
import { type ChartImage, upstreamOf } from '../../src/chart-images.ts';

/** An argument with the name of an image that the program starts pods with. */
const IMAGE_ARGUMENT = /^(--?[\w-]+)=([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\/[\w./-]+:[\w.@:-]+)$/;

/** Arguments whose images no pod here uses: Prometheus runs without Thanos. */
const UNUSED_ARGUMENTS = ['--thanos-default-base-image'];

/** The name with its registry, as containerd completes it, without tag and digest. */
function repositoryOf(image: string): string {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const [first = ''] = name.split('/');
  if (name.includes('/') && /[.:]/.test(first)) return name;
  return name.includes('/') ? `docker.io/${name}` : `docker.io/library/${name}`;
}

function collect(value: unknown, found: Set<string>): void {
  if (typeof value === 'string') {
    const [, argument = '', image = ''] = IMAGE_ARGUMENT.exec(value) ?? [];
    if (image !== '' && !UNUSED_ARGUMENTS.includes(argument)) found.add(repositoryOf(image));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, one] of Object.entries(value)) {
      if (key === 'image' && typeof one === 'string' && one !== '') found.add(repositoryOf(one));
      else collect(one, found);
    }
  }
}

/**
 * Returns the images of rendered manifests, with their registries, without tags. It leaves out the
 * pods of `helm test`, which Argo CD does not create.
 */
export function imagesOf(manifests: string): string[] {
  const found = new Set<string>();
  for (const document of parseAllDocuments(manifests)) {
    const object = document.toJS() as {
      metadata?: { annotations?: Record<string, string> };
    } | null;
    const hooks = object?.metadata?.annotations?.['helm.sh/hook'] ?? '';
    if (!hooks.startsWith('test')) collect(object, found);
  }
  return [...found].toSorted();
}

/**
 * Compares the images of a rendered chart with its list. Returns one line for each fault. An image
 * is at fault if the list lacks it, if it bypasses the cache although its key is set, or if it is
 * in the list and the chart does not name it.
 *
 * @param cache the host and prefix of the cache that the values of the chart name
 */
export function imageFaults(
  chart: string,
  listed: readonly ChartImage[],
  rendered: readonly string[],
  cache: string,
): string[] {
  const wanted = new Map<string, ChartImage>();
  for (const one of listed) {
    const { way, prefix } = upstreamOf(one.image);
    const path = one.image.slice(one.image.indexOf('/'));
    wanted.set(way === 'cache' ? `${cache}/${prefix}${path}` : one.image, one);
  }
  const originals = new Map(listed.map((one) => [one.image, one]));
  const faults = rendered
    .filter((image) => !wanted.has(image))
    .map((image) => {
      const key = originals.get(image)?.key;
      return key === undefined
        ? `${chart}: ${image} is not in chart-images.ts`
        : `${chart}: ${image} is not pulled through the cache; the chart does not read ${key}`;
    });
  for (const [name, { image }] of wanted) {
    if (rendered.includes(name) || rendered.includes(image)) continue;
    faults.push(`${chart}: ${image} is in chart-images.ts, and the chart does not name it`);
  }
  return faults;
}
