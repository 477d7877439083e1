{{ include "workload" (dict "root" . "name" "metrics-server" "replicas" .Values.replicas "images" (list "metrics-server") "ports" (list 10250)) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: metrics-server }
spec:
  minAvailable: {{ .Values.podDisruptionBudget.minAvailable }}
  selector: { matchLabels: { app.kubernetes.io/name: metrics-server } }
