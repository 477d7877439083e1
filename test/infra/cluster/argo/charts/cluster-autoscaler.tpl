apiVersion: v1
kind: ServiceAccount
metadata: { name: {{ .Values.rbac.serviceAccount.name }} }
---
{{ include "workload" (dict "root" . "name" "cluster-autoscaler-aws-cluster-autoscaler" "images" (list "cluster-autoscaler") "ports" (list 8085) "spec" (dict "serviceAccountName" .Values.rbac.serviceAccount.name)) }}
