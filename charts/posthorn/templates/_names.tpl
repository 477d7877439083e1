{{/* The prefix of the names of all objects. */}}
{{- define "posthorn.name" -}}
{{- $chart := .Values.nameOverride | default "posthorn" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains $chart .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $chart | trunc 48 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* The name of the image; a registry of the image replaces the first part of the repository. */}}
{{- define "posthorn.image" -}}
{{- $name := .Values.image.repository -}}
{{- $registry := (.Values.global).imageRegistry | default .Values.image.registry -}}
{{- with $registry -}}
{{- $first := splitList "/" $name | first -}}
{{- if and (contains "/" $name) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) }}{{ $name = trimPrefix (printf "%s/" $first) $name }}{{ end -}}
{{- $name = printf "%s/%s" (trimSuffix "/" .) $name -}}
{{- end -}}
{{- if ne $name (lower $name) }}{{ fail (printf "image.repository: must be in lower case: %s" (lower $name)) }}{{ end -}}
{{- $tag := .Values.image.tag -}}
{{- /* A published chart carries its commit; the one in Git has none. */}}
{{- if and (not $tag) (ne .Chart.AppVersion "unreleased") }}{{ $tag = .Chart.AppVersion }}{{ end -}}
{{- if .Values.image.digest }}{{ $name }}@{{ .Values.image.digest }}
{{- else }}{{ $name }}:{{ required "image.tag: say which commit is to run (or image.digest)" $tag }}{{ end }}
{{- end }}

{{/* The protocol of the pods. It is also the name of their port for the API, and of that of their Services. */}}
{{- define "posthorn.scheme" -}}
{{ if .Values.tls.secret }}https{{ else }}http{{ end }}
{{- end }}

{{/* The port of the Services for the API. */}}
{{- define "posthorn.port" -}}
{{ if .Values.tls.secret }}443{{ else }}80{{ end }}
{{- end }}

{{/* Labels of all objects. */}}
{{- define "posthorn.labels" -}}
{{ include "posthorn.selector" . }}
app.kubernetes.io/part-of: posthorn
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- range $key, $value := .Values.commonLabels }}
{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Must never change, because a Deployment's selector cannot. */}}
{{- define "posthorn.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default "posthorn" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of an object of one role; .of adds its own. */}}
{{- define "posthorn.roleLabels" -}}
{{ include "posthorn.labels" . }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "posthorn.roleSelector" -}}
{{ include "posthorn.selector" . }}
app.kubernetes.io/component: {{ .role }}
{{- end }}
