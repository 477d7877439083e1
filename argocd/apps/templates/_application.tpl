{{/* What every application has: it mends what was changed by hand, and tries again for a while. */}}
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
  # What holds data is not removed because a line is.
  prune: {{ .prune }}
  selfHeal: true
syncOptions:
  - ServerSideApply=true
  - RespectIgnoreDifferences=true
  {{- if .createNamespace }}
  - CreateNamespace=true
  {{- end }}
retry:
  limit: 5
  # What mends it is a commit, which does not have to wait for the tries of the one before.
  refresh: true
  backoff: { duration: 10s, factor: 2, maxDuration: 3m }
{{- end }}

{{/* "true" for an operator that this environment has: some exist for one setting only. */}}
{{- define "apps.wanted" -}}
{{- if eq .name "argo-rollouts" }}{{ .root.Values.argoRollouts }}
{{- else if eq .name "psmdb-operator" }}{{ eq .root.Values.mongodb.mode "operator" }}
{{- else }}true{{ end }}
{{- end }}
