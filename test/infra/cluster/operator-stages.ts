/**
 * In the place of the operators, which are not there: kwok says of their objects what they would.
 */

/** A commit whose migration fails: kwok has the pods of this image end so. */
export const failingTag = 'bad'.padEnd(40, '0');

const READY = `conditions:
- type: Ready
  status: "True"
  reason: Ready
  message: ready
`;
/** As the load balancer's controller writes it, once there is one. */
const BALANCED = `loadBalancer:
  ingress:
  - hostname: balancer.example.com
`;
/** As the autoscaler's controller does: Argo CD waits for it. */
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

/** The status that kwok gives to objects of a kind which do not have a field of it yet. */
const statuses = [
  ['cert-manager.io/v1', 'Certificate', 'conditions', READY],
  ['cert-manager.io/v1', 'ClusterIssuer', 'conditions', READY],
  ['external-secrets.io/v1', 'ClusterSecretStore', 'conditions', READY],
  ['external-secrets.io/v1', 'ExternalSecret', 'conditions', READY],
  ['keda.sh/v1alpha1', 'ScaledObject', 'conditions', READY],
  ['networking.k8s.io/v1', 'Ingress', 'loadBalancer.ingress', BALANCED],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', 'conditions', SCALED],
] as const;

/** Objects of the kind Stage, one after the other, for kwok's --config. */
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
      // kwok's own stage, by which pods of Jobs succeed, has none.
      weight: 1,
      next: { patches: [{ subresource: 'status', root: 'status', template: 'phase: Failed\n' }] },
    },
  };
}
