{{/*
The values of one role, the probe or the migration: `defaults`, then what the chart fixes for it, then its own. Maps are merged,
lists are replaced, as Helm does between files of values.
*/}}
{{- define "posthorn.of" -}}
{{- $fixed := dict -}}
{{- $own := dict -}}
{{- if eq .role "probe" -}}
{{- $fixed = dict "enabled" .Values.probe.enabled "replicas" 1 "preStopSeconds" 1 "shutdownDeadlineSeconds" 5 -}}
{{- $own = .Values.probe -}}
{{- else if eq .role "migrate" -}}
{{- $own = .Values.migration -}}
{{- else if has .role (list "test" "preview") -}}
{{- $own = .Values.test -}}
{{- else -}}
{{- $fixed = dict "enabled" true -}}
{{- $own = index .Values.roles .role -}}
{{- end -}}
{{- mustMergeOverwrite (deepCopy .Values.defaults) $fixed (deepCopy $own) | toYaml -}}
{{- end }}

{{/* The context of a role: the root with .role, .of (its values) and .name (of its objects). */}}
{{- define "posthorn.roles" -}}
{{- $names := list -}}
{{- range $role := list "ingress" "router" "delivery" "control" -}}
{{- if ne (toString (index $.Values.roles $role).enabled) "false" }}{{ $names = append $names $role }}{{ end -}}
{{- end -}}
{{- $names | toYaml -}}
{{- end }}

{{/* How a role is scaled: "hpa", "keda" or nothing. */}}
{{- define "posthorn.scaled" -}}
{{- $auto := .of.autoscaling | default dict -}}
{{- if $auto.enabled -}}
{{- if and $auto.triggers .Values.autoscaling.keda }}keda
{{- else if or $auto.cpuUtilization $auto.memoryUtilization }}hpa{{ end -}}
{{- end -}}
{{- end }}

{{/*
The replicas of a role; empty if an autoscaler sets them. An upgrade by Helm keeps the choice of the autoscaler, also when
it replaces Deployments with Rollouts: without the field, Helm would reset a release that had it to one replica.
*/}}
{{- define "posthorn.replicas" -}}
{{- if not (include "posthorn.scaled" .) }}{{ int .of.replicas }}
{{- else -}}
{{- $live := 0 -}}
{{- range $kind, $version := dict "Deployment" "apps/v1" "Rollout" "argoproj.io/v1alpha1" -}}
{{- with lookup $version $kind $.Release.Namespace $.name }}{{ $live = max $live (int .spec.replicas) }}{{ end -}}
{{- end -}}
{{- if $live }}{{ max $live (int .of.autoscaling.minReplicas) }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Whether the Service and the pods of a role have the port of the API. */}}
{{- define "posthorn.hasHttp" -}}
{{- if has .role (list "ingress" "control") }}true{{ end -}}
{{- end }}
