{{ include "workload" (dict "root" . "kind" "Job" "name" "kube-prometheus-stack-admission-create" "images" (list "kube-webhook-certgen") "annotations" (dict "helm.sh/hook" "pre-install,pre-upgrade")) }}
---
{{ include "workload" (dict "root" . "name" "kube-prometheus-stack-operator" "images" (list "prometheus-operator") "ports" (list 10250)) }}
---
{{ include "workload" (dict "root" . "name" "kube-prometheus-stack-kube-state-metrics" "images" (list "kube-state-metrics") "ports" (list 8080)) }}
---
{{ include "workload" (dict "root" . "name" "kube-prometheus-stack-grafana" "images" (list "grafana" "k8s-sidecar") "ports" (list 3000)) }}
---
{{- $host := dict "hostNetwork" true "hostPID" true "tolerations" (list (dict "operator" "Exists" "effect" "NoSchedule")) "volumes" (list (dict "name" "root" "hostPath" (dict "path" "/"))) }}
{{ include "workload" (dict "root" . "kind" "DaemonSet" "name" "kube-prometheus-stack-prometheus-node-exporter" "images" (list "node-exporter") "spec" $host "ports" (list 9100)) }}
---
{{- $prometheus := .Values.prometheus.prometheusSpec }}
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: { name: kube-prometheus-stack-prometheus }
spec:
  replicas: {{ $prometheus.replicas }}
  retention: {{ $prometheus.retention }}
  storage: {{ toYaml $prometheus.storageSpec | nindent 4 }}
---
# What the operator makes of it, with its volume.
{{ include "workload" (dict "root" . "kind" "StatefulSet" "name" "prometheus-kube-prometheus-stack-prometheus" "replicas" $prometheus.replicas "images" (list "prometheus" "prometheus-config-reloader") "ports" (list 9090) "volume" $prometheus.storageSpec.volumeClaimTemplate.spec) }}
---
apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata: { name: kube-prometheus-stack-alertmanager }
spec: {{ toYaml .Values.alertmanager.alertmanagerSpec | nindent 2 }}
---
{{ include "workload" (dict "root" . "kind" "StatefulSet" "name" "alertmanager-kube-prometheus-stack-alertmanager" "replicas" .Values.alertmanager.alertmanagerSpec.replicas "images" (list "alertmanager" "prometheus-config-reloader") "ports" (list 9093)) }}
---
apiVersion: v1
kind: Secret
metadata: { name: alertmanager-kube-prometheus-stack-alertmanager }
stringData:
  alertmanager.yaml: {{ toYaml .Values.alertmanager.config | quote }}
