{{/* Common part of every application: it reverts manual changes, and retries without end. */}}
{{- define "apps.metadata" -}}
name: {{ .name }}
namespace: argocd
annotations:
  argocd.argoproj.io/sync-wave: {{ .wave | quote }}
labels:
  app.kubernetes.io/part-of: posthorn
  posthorn/environment: {{ .root.Values.environment }}
{{- end }}

{{- define "apps.syncPolicy" -}}
automated:
  # Removing a line from Git must not remove data.
  prune: {{ .prune }}
  selfHeal: true
syncOptions:
  - ServerSideApply=true
  - RespectIgnoreDifferences=true
  {{- if .createNamespace }}
  - CreateNamespace=true
  {{- end }}
retry:
  # Without end: Argo CD does not sync the same commit again after its last retry. A secret that a person adds an
  # hour later needs no new commit.
  limit: -1
  # A fixing commit need not wait for the retries of the commit before it.
  refresh: true
  backoff: { duration: 10s, factor: 2, maxDuration: 3m }
{{- end }}

{{/* "true" for an operator of this environment: some are installed for one setting only. */}}
{{- define "apps.wanted" -}}
{{- if eq .name "argo-rollouts" }}{{ .root.Values.argoRollouts }}
{{- else if eq .name "psmdb-operator" }}{{ eq .root.Values.mongodb.mode "operator" }}
{{- else }}true{{ end }}
{{- end }}

{{/* The API server adds these fields to the volumes of a StatefulSet, and charts do not name them. */}}
{{- define "apps.ignoreVolumeDefaults" -}}
- group: apps
  kind: StatefulSet
  jqPathExpressions: ['.spec.volumeClaimTemplates[]?.apiVersion', '.spec.volumeClaimTemplates[]?.kind', '.spec.volumeClaimTemplates[]?.status', '.spec.volumeClaimTemplates[]?.spec.volumeMode']
{{- end }}
