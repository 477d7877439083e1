apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  labels: { app.kubernetes.io/part-of: argocd }
data: {{ toYaml .Values.configs.cm | nindent 2 }}
---
{{ include "workload" (dict "root" . "kind" "StatefulSet" "name" "argocd-application-controller" "images" (list "argocd") "ports" (list 8082)) }}
---
{{ include "workload" (dict "root" . "name" "argocd-repo-server" "images" (list "argocd") "ports" (list 8081)) }}
---
{{ include "workload" (dict "root" . "name" "argocd-server" "images" (list "argocd") "ports" (list 8080)) }}
---
{{ include "workload" (dict "root" . "name" "argocd-redis" "images" (list "redis") "ports" (list 6379)) }}
