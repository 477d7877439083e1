{{- range list "external-secrets" "external-secrets-webhook" "external-secrets-cert-controller" }}
---
{{ include "workload" (dict "root" $ "name" . "images" (list "external-secrets") "ports" (list 8080)) }}
{{- end }}
