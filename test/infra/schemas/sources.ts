/** The module that contains the OpenAPI of Kubernetes. */
export const KUBERNETES = 'k8s.io/kubernetes@v1.36.3';

/** Files with the CRDs of the operators that charts/ and argocd/ use, by module. */
export const CRDS = {
  'github.com/argoproj/argo-cd/v3@v3.5.7': 'manifests/crds/*-crd.yaml',
  'github.com/argoproj/argo-rollouts@v1.9.0': 'manifests/crds/*-crd.yaml',
  'github.com/cert-manager/cert-manager@v1.18.2': 'deploy/crds/*.yaml',
  'github.com/kedacore/keda/v2@v2.21.0': 'config/crd/bases/*.yaml',
  'sigs.k8s.io/gateway-api@v1.4.0': 'config/crd/standard/*.yaml',
  'github.com/external-secrets/external-secrets@v1.3.2': 'config/crds/bases/*.yaml',
  'github.com/percona/percona-server-mongodb-operator@v1.23.0': 'config/crd/bases/*.yaml',
  'github.com/prometheus-operator/prometheus-operator@v0.85.0':
    'example/prometheus-operator-crd/*.yaml',
};
