/** Replaces the operators, which do not run here: kwok sets the status that they would set. */

/** An image whose migration fails: kwok ends the pods of this image with an error. */
export const failingTag = 'bad'.padEnd(40, '0');

const READY = `conditions:
- type: Ready
  status: "True"
  reason: Ready
  message: ready
`;
const AVAILABLE = `paused: false
replicas: 2
updatedReplicas: 2
availableReplicas: 2
unavailableReplicas: 0
conditions:
- type: Available
  status: "True"
  reason: Available
  message: available
  lastTransitionTime: {{ Now | Quote }}
- type: Reconciled
  status: "True"
  reason: Reconciled
  message: reconciled
  lastTransitionTime: {{ Now | Quote }}
`;
/** The status that the load balancer controller sets once a load balancer exists. */
const BALANCED = `loadBalancer:
  ingress:
  - hostname: balancer.example.com
`;
/** The status that the autoscaler sets. Argo CD waits for it. */
const SCALED = `currentReplicas: 1
desiredReplicas: 1
conditions:
- type: AbleToScale
  status: "True"
  reason: ReadyForNewScale
  message: ready
- type: ScalingActive
  status: "True"
  reason: ValidMetricFound
  message: ready
`;

/** The status that kwok sets on objects of a kind that lack one of its fields. */
const statuses = [
  ['cert-manager.io/v1', 'Certificate', 'conditions', READY],
  ['cert-manager.io/v1', 'ClusterIssuer', 'conditions', READY],
  ['external-secrets.io/v1', 'ClusterSecretStore', 'conditions', READY],
  ['external-secrets.io/v1', 'ExternalSecret', 'conditions', READY],
  ['keda.sh/v1alpha1', 'ScaledObject', 'conditions', READY],
  ['monitoring.coreos.com/v1', 'Alertmanager', 'conditions', AVAILABLE],
  ['monitoring.coreos.com/v1', 'Prometheus', 'conditions', AVAILABLE],
  ['networking.k8s.io/v1', 'Ingress', 'loadBalancer.ingress', BALANCED],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', 'conditions', SCALED],
] as const;

/** Kinds whose controllers do not run here: kwok sets their status. */
export const simulatedKinds = statuses.map(([, kind]) => kind);

/** Objects of the kind Stage, as one YAML stream for kwok's --config. */
export function operatorStages(): string {
  const ready = statuses.map(([apiGroup, kind, field, template]) => ({
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name: `${kind.toLowerCase()}-ready` },
    spec: {
      resourceRef: { apiGroup, kind },
      selector: { matchExpressions: [{ key: `.status.${field}`, operator: 'DoesNotExist' }] },
      next: { patches: [{ subresource: 'status', root: 'status', template }] },
    },
  }));
  return [...ready, failingMigration()].map((one) => JSON.stringify(one)).join('\n---\n');
}

function failingMigration(): object {
  const tag = '.spec.containers.[].image | split(":") | .[1]';
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name: 'migration-fails' },
    spec: {
      resourceRef: { apiGroup: 'v1', kind: 'Pod' },
      selector: {
        matchExpressions: [
          { key: '.status.phase', operator: 'In', values: ['Running'] },
          { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] },
          { key: tag, operator: 'In', values: [failingTag] },
        ],
      },
      // kwok's own stage for pods of Jobs that succeed has no weight.
      weight: 1,
      next: { patches: [{ subresource: 'status', root: 'status', template: 'phase: Failed\n' }] },
    },
  };
}
