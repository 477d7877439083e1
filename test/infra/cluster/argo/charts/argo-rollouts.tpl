{{ include "workload" (dict "root" . "name" "argo-rollouts" "replicas" .Values.controller.replicas "images" (list "argo-rollouts") "ports" (list 8090)) }}
