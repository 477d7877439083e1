{{/* "true" where pods of ingress and control wait for a check before they get traffic. */}}
{{- define "posthorn.hasPreviews" -}}
{{- if and .Values.rollouts.enabled (eq .Values.rollouts.strategy "blueGreen") }}true{{ end -}}
{{- end }}

{{/* The roles whose previews are checked. The check calls both. */}}
{{- define "posthorn.checkedPreviews" -}}
{{- $roles := include "posthorn.roles" . | fromYamlArray -}}
{{- $checked := list -}}
{{- if and (include "posthorn.hasPreviews" .) (has "ingress" $roles) (has "control" $roles) }}{{ $checked = list "ingress" "control" }}{{ end -}}
{{- $checked | toYaml -}}
{{- end }}

{{- define "posthorn.rolloutStrategy" -}}
{{- $name := include "posthorn.name" . -}}
{{- if and (include "posthorn.hasPreviews" .) (include "posthorn.hasHttp" .) -}}
blueGreen:
  activeService: {{ .name }}
  previewService: {{ .name }}-preview
  # The controller changes them at the promotion. Prometheus finds a preview by its label.
  activeMetadata: { labels: { posthorn/track: active } }
  previewMetadata: { labels: { posthorn/track: preview } }
  autoPromotionEnabled: true
  # Counted from the end of the analysis, until which the old pods can get the traffic back.
  scaleDownDelaySeconds: 60
  {{- if has .role (include "posthorn.checkedPreviews" . | fromYamlArray) }}
  prePromotionAnalysis:
    templates: [{ templateName: {{ .name }}-preview }]
  {{- end }}
  postPromotionAnalysis:
    templates: [{ templateName: {{ $name }}-failures }]
{{- else -}}
canary:
  maxUnavailable: {{ .of.strategy.maxUnavailable }}
  maxSurge: {{ .of.strategy.maxSurge }}
  steps:
    {{- range .Values.rollouts.canarySteps }}
    - setWeight: {{ . }}
    - pause: { duration: {{ $.Values.rollouts.pauseSeconds }} }
    - analysis: { templates: [{ templateName: {{ $name }}-failures }] }
    {{- end }}
{{- end }}
{{- end }}

{{/*
A query of the share of failures, .bad, in the sum of .all, within 5 minutes. It is 0 with so little traffic that one failure would
exceed the allowed share, .most. OWN stands for the matchers of this release.
*/}}
{{- define "posthorn.failureShare" -}}
{{- $rates := list -}}
{{- $counts := list -}}
{{- range .all }}{{ $rates = append $rates (printf "sum(rate(%s[5m]))" .) }}{{ $counts = append $counts (printf "sum(increase(%s[5m]))" .) }}{{ end -}}
{{- $query := printf "sum(rate(%s[5m])) / ((%s) and (%s) * %s > 1) or vector(0)" .bad (join " + " $rates) (join " + " $counts) .most -}}
{{- $query | replace "OWN" (printf "namespace=%q,job=%q" .namespace .release) -}}
{{- end }}
