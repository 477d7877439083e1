{{- define "posthorn.name" -}}
{{- if contains "posthorn" .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}{{ else }}{{ printf "%s-posthorn" .Release.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "posthorn.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ required "image.tag: say which commit is to run (or image.digest)" .Values.image.tag }}{{ end }}
{{- end }}

{{/* Labels of all objects. */}}
{{- define "posthorn.labels" -}}
{{ include "posthorn.selector" . }}
app.kubernetes.io/part-of: posthorn
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Must never change, because a Deployment's selector cannot. */}}
{{- define "posthorn.selector" -}}
app.kubernetes.io/name: posthorn
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Whether an autoscaler sets the replicas of a role. */}}
{{- define "posthorn.scaled" -}}
{{- $auto := (index .Values.roles .role).autoscaling | default dict -}}
{{- if and $auto.enabled (or (eq .role "ingress") .Values.autoscaling.keda) }}true{{ end }}
{{- end }}

{{/* Checks between values, which the schema cannot express. */}}
{{- define "posthorn.check" -}}
{{- range $role, $of := .Values.roles }}
{{- $auto := $of.autoscaling | default dict }}
{{- if and $auto.enabled (gt (int $auto.minReplicas) (int $auto.maxReplicas)) }}
{{- fail (printf "roles.%s.autoscaling: minReplicas (%d) is more than maxReplicas (%d)" $role (int $auto.minReplicas) (int $auto.maxReplicas)) }}
{{- end }}
{{- end }}
{{- $shards := int .Values.settings.POSTHORN_SHARDS }}
{{- range $role := list "router" "delivery" }}
{{- $auto := (index $.Values.roles $role).autoscaling }}
{{- if and $auto.enabled (gt (int $auto.maxReplicas) $shards) }}
{{- fail (printf "roles.%s.autoscaling.maxReplicas: %d is more than settings.POSTHORN_SHARDS (%d), and a shard has one process of a role at a time" $role (int $auto.maxReplicas) $shards) }}
{{- end }}
{{- end }}
{{- if and .Values.probe.enabled (not .Values.secret.bootstrapKey) }}
{{- $given := false }}
{{- range .Values.secret.extra }}{{ if and (eq .setting "POSTHORN_PROBE_KEY") (has "probe" .roles) }}{{ $given = true }}{{ end }}{{ end }}
{{- if not $given }}
{{- fail "probe.enabled: the probe needs a platform key: secret.bootstrapKey, or an entry of secret.extra with setting POSTHORN_PROBE_KEY and the role probe" }}
{{- end }}
{{- end }}
{{- include "posthorn.checkEgress" . }}
{{- if and .Values.ingress.enabled (or (not .Values.ingress.publishHost) (not .Values.ingress.apiHost)) }}
{{- fail "ingress.publishHost and ingress.apiHost: both are needed, and are two names" }}
{{- end }}
{{- if and .Values.ingress.enabled (eq .Values.ingress.publishHost .Values.ingress.apiHost) }}
{{- fail "ingress.publishHost and ingress.apiHost: are to be two names, as publishing and reading events have the same path" }}
{{- end }}
{{- end }}
