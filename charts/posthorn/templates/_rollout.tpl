{{- define "posthorn.rolloutStrategy" -}}
{{- if and (eq .Values.rollouts.strategy "blueGreen") (include "posthorn.hasHttp" .) -}}
blueGreen:
  activeService: {{ .name }}
  previewService: {{ .name }}-preview
  autoPromotionEnabled: true
  scaleDownDelaySeconds: 60
  prePromotionAnalysis:
    templates: [{ templateName: {{ include "posthorn.name" . }}-failures }]
{{- else -}}
canary:
  maxUnavailable: {{ .of.strategy.maxUnavailable }}
  maxSurge: {{ .of.strategy.maxSurge }}
  steps:
    {{- range .Values.rollouts.canarySteps }}
    - setWeight: {{ . }}
    - pause: { duration: {{ $.Values.rollouts.pauseSeconds }} }
    - analysis: { templates: [{ templateName: {{ include "posthorn.name" $ }}-failures }] }
    {{- end }}
{{- end }}
{{- end }}
