{{ include "workload" (dict "root" . "name" "keda-operator" "replicas" .Values.operator.replicaCount "images" (list "keda") "ports" (list 9666)) }}
---
{{ include "workload" (dict "root" . "name" "keda-operator-metrics-apiserver" "images" (list "keda-metrics-apiserver") "ports" (list 6443)) }}
---
{{ include "workload" (dict "root" . "name" "keda-admission-webhooks" "images" (list "keda-admission-webhooks") "ports" (list 9443)) }}
