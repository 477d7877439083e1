{{/*
A workload of a stand-in. Parameters: root, name, images (their last path segments), and optionally kind, replicas,
ports, spec (of the pod), volume (a volumeClaimTemplate's spec), resources, securityContext, annotations.
*/}}
{{- define "workload" -}}
{{- $kind := .kind | default "Deployment" -}}
apiVersion: {{ eq $kind "Job" | ternary "batch/v1" "apps/v1" }}
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- with .annotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if has $kind (list "Deployment" "StatefulSet") }}
  replicas: {{ .replicas | default 1 }}
  {{- end }}
  {{- if ne $kind "Job" }}
  selector: { matchLabels: { app.kubernetes.io/name: {{ .name }} } }
  {{- end }}
  {{- if eq $kind "StatefulSet" }}
  serviceName: {{ .name }}
  podManagementPolicy: Parallel
  {{- end }}
  template:
    metadata: { labels: { app.kubernetes.io/name: {{ .name }} } }
    spec:
      {{- if eq $kind "Job" }}
      restartPolicy: Never
      {{- end }}
      {{- with .spec }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      containers:
        {{- $given := . }}
        {{- range $index, $image := .images }}
        - name: {{ $image }}
          image: {{ required $image (index $given.root.Values.standIn.images $image) }}
          {{- with $given.resources }}
          resources: {{ toYaml (index . $index) | nindent 12 }}
          {{- end }}
          {{- with $given.securityContext }}
          securityContext: {{ toYaml . | nindent 12 }}
          {{- end }}
          {{- if and (eq $index 0) $given.ports }}
          ports:
            {{- range $given.ports }}
            - { containerPort: {{ . }} }
            {{- end }}
          {{- end }}
        {{- end }}
  {{- with .volume }}
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: {{ toYaml . | nindent 8 }}
  {{- end }}
{{- if and .ports (ne $kind "Job") }}
---
apiVersion: v1
kind: Service
metadata: { name: {{ .name }} }
spec:
  selector: { app.kubernetes.io/name: {{ .name }} }
  ports:
    {{- range .ports }}
    - { name: port-{{ . }}, port: {{ . }} }
    {{- end }}
{{- end }}
{{- end }}
