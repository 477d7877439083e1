{{- define "posthorn.rolloutStrategy" -}}
{{- if and (eq .Values.rollouts.strategy "blueGreen") (has .role (list "ingress" "control")) -}}
blueGreen:
  activeService: {{ .name }}
  previewService: {{ .name }}-preview
  autoPromotionEnabled: true
  scaleDownDelaySeconds: 60
  prePromotionAnalysis:
    templates: [{ templateName: {{ include "posthorn.name" . }}-failures }]
{{- else -}}
canary:
  maxUnavailable: 0
  maxSurge: 1
  steps:
    {{- range .Values.rollouts.canarySteps }}
    - setWeight: {{ . }}
    - pause: { duration: {{ $.Values.rollouts.pauseSeconds }} }
    - analysis: { templates: [{ templateName: {{ include "posthorn.name" $ }}-failures }] }
    {{- end }}
{{- end }}
{{- end }}
