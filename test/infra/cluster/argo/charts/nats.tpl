{{- /* As the chart of NATS: Helm keeps a null that no default value has. */}}
{{- range $name, $value := .Values.container.env }}
{{- if not (or (kindIs "string" $value) (kindIs "map" $value)) }}
{{- fail (printf "env var %s must be string or map, got %s" $name (kindOf $value)) }}
{{- end }}
{{- end }}
{{- $pod := merge (dict) (.Values.podTemplate.merge.spec | default dict) }}
{{- $spread := list }}
{{- range $key, $of := .Values.podTemplate.topologySpreadConstraints }}
{{- $spread = append $spread (merge (dict "topologyKey" $key "labelSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" "nats"))) $of) }}
{{- end }}
{{- $_ := set $pod "topologySpreadConstraints" $spread }}
{{- $pvc := .Values.config.jetstream.fileStore.pvc }}
{{- $volume := dict "accessModes" (list "ReadWriteOnce") "storageClassName" $pvc.storageClassName "resources" (dict "requests" (dict "storage" $pvc.size)) }}
{{- $resources := list .Values.container.merge.resources .Values.reloader.merge.resources .Values.promExporter.merge.resources }}
{{- $ports := list 4222 6222 8222 7777 }}
{{ include "workload" (dict "root" . "kind" "StatefulSet" "name" "nats" "replicas" .Values.config.cluster.replicas "images" (list "nats" "nats-server-config-reloader" "prometheus-nats-exporter") "ports" $ports "spec" $pod "volume" $volume "resources" $resources "securityContext" .Values.container.merge.securityContext) }}
---
apiVersion: v1
kind: Service
metadata: { name: nats-headless }
spec:
  clusterIP: None
  selector: { app.kubernetes.io/name: nats }
  ports: [{ name: nats, port: 4222 }, { name: cluster, port: 6222 }, { name: monitor, port: 8222 }]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: nats }
spec: { maxUnavailable: 1, selector: { matchLabels: { app.kubernetes.io/name: nats } } }
{{- if .Values.promExporter.podMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: nats
  labels: {{ toYaml .Values.promExporter.podMonitor.merge.metadata.labels | nindent 4 }}
spec: { selector: { matchLabels: { app.kubernetes.io/name: nats } }, podMetricsEndpoints: [{ port: prom-metrics }] }
{{- end }}
