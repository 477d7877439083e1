{{ include "workload" (dict "root" . "name" "cert-manager" "images" (list "cert-manager-controller") "ports" (list 9402)) }}
---
{{ include "workload" (dict "root" . "name" "cert-manager-webhook" "images" (list "cert-manager-webhook") "ports" (list 10250)) }}
---
{{ include "workload" (dict "root" . "name" "cert-manager-cainjector" "images" (list "cert-manager-cainjector")) }}
---
{{ include "workload" (dict "root" . "kind" "Job" "name" "cert-manager-startupapicheck" "images" (list "cert-manager-startupapicheck") "annotations" (dict "helm.sh/hook" "post-install")) }}
