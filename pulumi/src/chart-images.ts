/**
 * The images of the charts that Argo CD and this program install, and the way by which a private
 * node pulls each. A node reaches the Internet through a NAT gateway, except for S3 of its own
 * region: that traffic takes the gateway endpoint, whose policy refuses the buckets of others.
 */

/**
 * `cache`: through a pull-through cache of ECR in this account, as the registry redirects to S3.
 * `direct`: through the NAT gateway; the registry serves its layers from outside of AWS.
 */
export type PullWay = 'cache' | 'direct';

interface Upstream {
  way: PullWay;
  /** Last part of the prefix of cached repositories. */
  prefix: string;
  /** The address that ECR knows the registry by. */
  url: string;
  reason: string;
}

/** Registries by the host in the name of an image. */
export const upstreams: Readonly<Record<string, Upstream>> = {
  'registry.k8s.io': {
    way: 'cache',
    prefix: 'k8s',
    url: 'registry.k8s.io',
    reason: 'It redirects nodes in AWS to its own bucket in their region',
  },
  'quay.io': {
    way: 'cache',
    prefix: 'quay',
    url: 'quay.io',
    reason: 'It redirects nodes in us-east-1 to its own bucket there',
  },
  'public.ecr.aws': {
    way: 'cache',
    prefix: 'ecr',
    url: 'public.ecr.aws',
    reason: 'Without an account it limits the pulls of one address, here of a NAT gateway',
  },
  // Another name of public.ecr.aws, which the chart of Argo CD uses.
  'ecr-public.aws.com': {
    way: 'cache',
    prefix: 'ecr',
    url: 'public.ecr.aws',
    reason: 'Another name of public.ecr.aws',
  },
  'ghcr.io': {
    way: 'direct',
    prefix: '',
    url: 'ghcr.io',
    reason: 'A cache in ECR needs a GitHub token; layers come from outside of AWS',
  },
  'docker.io': {
    way: 'direct',
    prefix: '',
    url: 'registry-1.docker.io',
    reason: 'A cache in ECR needs a Docker account; layers come from outside of AWS',
  },
};

export interface ChartImage {
  /** Registry and repository, without a tag: the chart's version decides the tag. */
  image: string;
  /** Where the values of the chart set it; for images that are cached. */
  key?: string;
  /** Whether that value is the registry alone or the registry with the repository. */
  value?: 'registry' | 'repository';
}

export interface ChartImages {
  version: string;
  images: readonly ChartImage[];
}

const direct = (...images: string[]): ChartImage[] => images.map((image) => ({ image }));
const repository = (image: string, key: string): ChartImage => ({
  image,
  key,
  value: 'repository',
});
const registry = (image: string, key: string): ChartImage => ({ image, key, value: 'registry' });

/**
 * By chart. An update of a chart has to look here: a test compares the versions with those of
 * `argocd/apps/values.yaml`.
 */
export const chartImages: Readonly<Record<string, ChartImages>> = {
  'argo-cd': {
    version: '9.1.0',
    images: [
      repository('quay.io/argoproj/argocd', 'global.image.repository'),
      repository('ecr-public.aws.com/docker/library/redis', 'redis-ha.image.repository'),
      repository('ecr-public.aws.com/docker/library/haproxy', 'redis-ha.haproxy.image.repository'),
    ],
  },
  'argo-rollouts': {
    version: '2.40.9',
    images: [registry('quay.io/argoproj/argo-rollouts', 'controller.image.registry')],
  },
  'aws-load-balancer-controller': {
    version: '1.14.0',
    images: [repository('public.ecr.aws/eks/aws-load-balancer-controller', 'image.repository')],
  },
  'cert-manager': {
    version: 'v1.18.2',
    images: [
      repository('quay.io/jetstack/cert-manager-controller', 'image.repository'),
      repository('quay.io/jetstack/cert-manager-webhook', 'webhook.image.repository'),
      repository('quay.io/jetstack/cert-manager-cainjector', 'cainjector.image.repository'),
      repository('quay.io/jetstack/cert-manager-acmesolver', 'acmesolver.image.repository'),
      repository(
        'quay.io/jetstack/cert-manager-startupapicheck',
        'startupapicheck.image.repository',
      ),
    ],
  },
  'cluster-autoscaler': {
    version: '9.59.0',
    images: [repository('registry.k8s.io/autoscaling/cluster-autoscaler', 'image.repository')],
  },
  'external-secrets': {
    version: '1.3.2',
    images: direct('ghcr.io/external-secrets/external-secrets'),
  },
  keda: {
    version: '2.21.0',
    images: direct(
      'ghcr.io/kedacore/keda',
      'ghcr.io/kedacore/keda-metrics-apiserver',
      'ghcr.io/kedacore/keda-admission-webhooks',
    ),
  },
  'kube-prometheus-stack': {
    version: '77.11.1',
    images: [
      registry(
        'quay.io/prometheus-operator/prometheus-operator',
        'prometheusOperator.image.registry',
      ),
      registry(
        'quay.io/prometheus-operator/prometheus-config-reloader',
        'prometheusOperator.prometheusConfigReloader.image.registry',
      ),
      registry(
        'registry.k8s.io/ingress-nginx/kube-webhook-certgen',
        'prometheusOperator.admissionWebhooks.patch.image.registry',
      ),
      registry('quay.io/prometheus/prometheus', 'prometheus.prometheusSpec.image.registry'),
      registry('quay.io/prometheus/alertmanager', 'alertmanager.alertmanagerSpec.image.registry'),
      registry('quay.io/prometheus/node-exporter', 'prometheus-node-exporter.image.registry'),
      registry(
        'registry.k8s.io/kube-state-metrics/kube-state-metrics',
        'kube-state-metrics.image.registry',
      ),
      registry('quay.io/kiwigrid/k8s-sidecar', 'grafana.sidecar.image.registry'),
      ...direct('docker.io/grafana/grafana'),
    ],
  },
  'metrics-server': {
    version: '3.13.0',
    images: [repository('registry.k8s.io/metrics-server/metrics-server', 'image.repository')],
  },
  nats: {
    version: '2.14.2',
    images: direct(
      'docker.io/library/nats',
      'docker.io/natsio/nats-server-config-reloader',
      'docker.io/natsio/prometheus-nats-exporter',
    ),
  },
  'psmdb-operator': {
    version: '1.23.0',
    images: direct('docker.io/percona/percona-server-mongodb-operator'),
  },
};

/** @throws Error for a registry that has no way yet */
export function upstreamOf(image: string): Upstream {
  const host = image.slice(0, image.indexOf('/'));
  const upstream = upstreams[host];
  if (upstream === undefined) {
    throw new Error(
      `${image}: no way to pull it; known registries: ${Object.keys(upstreams).join(', ')}`,
    );
  }
  return upstream;
}

/** Values of a chart, as Helm takes them. */
export interface ChartValues {
  [key: string]: unknown;
}

/**
 * The values of a chart, with its cached images named after the cache.
 * @param cache host and prefix of the cache, such as `….amazonaws.com/cache-posthorn-dev`
 * @throws Error if the chart is not in the list
 */
export function withCachedImages(chart: string, cache: string, values: ChartValues): ChartValues {
  const known = chartImages[chart];
  if (known === undefined) throw new Error(`${chart}: its images are not in chart-images.ts`);
  const merged = structuredClone(values);
  for (const { image, key, value } of known.images) {
    const { prefix, way } = upstreamOf(image);
    if (way !== 'cache' || key === undefined) continue;
    const path = key.split('.');
    const last = path.pop() as string;
    let here = merged;
    for (const step of path) here = (here[step] ??= {}) as ChartValues;
    const rest = value === 'repository' ? image.slice(image.indexOf('/')) : '';
    here[last] = `${cache}/${prefix}${rest}`;
  }
  return merged;
}
