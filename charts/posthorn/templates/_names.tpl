{{- define "posthorn.name" -}}
{{- if contains "posthorn" .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}{{ else }}{{ printf "%s-posthorn" .Release.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The name of the image; a registry of its own replaces the first part of the repository. */}}
{{- define "posthorn.image" -}}
{{- $name := .Values.image.repository -}}
{{- $registry := (.Values.global).imageRegistry | default .Values.image.registry -}}
{{- with $registry -}}
{{- $first := splitList "/" $name | first -}}
{{- if and (contains "/" $name) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) }}{{ $name = trimPrefix (printf "%s/" $first) $name }}{{ end -}}
{{- $name = printf "%s/%s" (trimSuffix "/" .) $name -}}
{{- end -}}
{{- if ne $name (lower $name) }}{{ fail (printf "image.repository: must be in lower case: %s" (lower $name)) }}{{ end -}}
{{- if .Values.image.digest }}{{ $name }}@{{ .Values.image.digest }}
{{- else }}{{ $name }}:{{ required "image.tag: say which commit is to run (or image.digest)" .Values.image.tag }}{{ end }}
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

{{/*
The replicas of a role; empty where an autoscaler sets them. An upgrade by Helm keeps the choice of the autoscaler, also when
it replaces Deployments with Rollouts: without the field, Helm would reset a release that had it to one replica.
*/}}
{{- define "posthorn.replicas" -}}
{{- $of := index .Values.roles .role -}}
{{- if not (include "posthorn.scaled" .) }}{{ int $of.replicas }}
{{- else -}}
{{- $live := 0 -}}
{{- range $kind, $version := dict "Deployment" "apps/v1" "Rollout" "argoproj.io/v1alpha1" -}}
{{- with lookup $version $kind $.Release.Namespace $.name }}{{ $live = max $live (int .spec.replicas) }}{{ end -}}
{{- end -}}
{{- if $live }}{{ max $live (int $of.autoscaling.minReplicas) }}{{ end -}}
{{- end -}}
{{- end }}
