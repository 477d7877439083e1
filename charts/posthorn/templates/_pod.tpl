{{/*
When Helm runs the migration. An ExternalSecret of this release does not exist before the first installation. The processes
create missing streams and indexes by themselves, so the Job may run after them once.
*/}}
{{- define "posthorn.migrationHook" -}}
{{ if .Values.externalSecret.enabled }}post-install{{ else }}pre-install{{ end }},pre-upgrade
{{- end }}

{{/* Names of settings by the keys of the Secret that a role may read: no role has more than it needs. */}}
{{- define "posthorn.secretKeys" -}}
{{- $keys := dict -}}
{{- if and .Values.nats.user (ne .role "probe") }}{{ $_ := set $keys "natsPassword" "POSTHORN_NATS_PASSWORD" }}{{ end -}}
{{- if has .role (list "ingress" "control" "migrate") }}{{ $_ := set $keys "mongodbUrl" "POSTHORN_MONGODB_URL" }}{{ end -}}
{{- if has .role (list "delivery" "control") }}{{ $_ := set $keys "masterKey" "POSTHORN_MASTER_KEY" }}{{ end -}}
{{- if and .Values.secret.bootstrapKey (has .role (list "ingress" "control" "probe")) }}{{ $_ := set $keys "bootstrapKey" "POSTHORN_BOOTSTRAP_KEY" }}{{ end -}}
{{- if and .Values.nats.authCallout (eq .role "ingress") }}{{ $_ := set $keys "natsAuthSeed" "POSTHORN_NATS_AUTH_SEED" }}{{ end -}}
{{- range .Values.secret.extra }}{{ if has $.role .roles }}{{ $_ := set $keys .key .setting }}{{ end }}{{ end -}}
{{- toYaml $keys }}
{{- end }}

{{/* A setting as text. Helm reads whole numbers as floating point: without int64, a million would be written 1e+06. */}}
{{- define "posthorn.setting" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "posthorn.env" -}}
{{- range $name, $value := .Values.settings }}
- { name: {{ $name }}, value: {{ include "posthorn.setting" $value | quote }} }
{{- end }}
- { name: POSTHORN_NATS_URL, value: {{ .Values.nats.url | quote }} }
{{- with .Values.nats.user }}
- { name: POSTHORN_NATS_USER, value: {{ . | quote }} }
{{- end }}
- { name: POSTHORN_MONGODB_DATABASE, value: {{ .Values.mongodb.database | quote }} }
{{- if has .role (list "delivery" "control") }}
{{- with include "posthorn.egressAllow" . }}
- { name: POSTHORN_EGRESS_ALLOW, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- with .Values.nats.caSecret }}
- { name: NODE_EXTRA_CA_CERTS, value: /run/secrets/nats-ca/ca.crt }
{{- end }}
{{- if .Values.probe.enabled }}
{{- if has .role (list "delivery" "control" "probe") }}
- { name: POSTHORN_PROBE_RECEIVER_URL, value: 'http://{{ include "posthorn.name" . }}-probe:8082' }
{{- end }}
{{- if eq .role "probe" }}
- { name: POSTHORN_PROBE_INGRESS_URL, value: 'http://{{ include "posthorn.name" . }}-ingress' }
- { name: POSTHORN_PROBE_CONTROL_URL, value: 'http://{{ include "posthorn.name" . }}-control' }
{{- end }}
{{- end }}
{{- range $key, $name := include "posthorn.secretKeys" . | fromYaml }}
- { name: {{ $name }}_FILE, value: /run/secrets/posthorn/{{ $key }} }
{{- end }}
{{- end }}

{{- define "posthorn.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Common parts of the pods of roles and of the migration. */}}
{{- define "posthorn.podBase" -}}
{{- /* The migration runs before the account exists, and needs none. */}}
{{- if ne .role "migrate" }}
serviceAccountName: {{ include "posthorn.name" . }}-{{ .role }}
{{- end }}
automountServiceAccountToken: false
# Kubernetes would put POSTHORN_…_SERVICE_HOST into the environment, and an unknown setting stops the start.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile: { type: RuntimeDefault }
# Look up a receiver's name as given, not first in each of the cluster's domains.
dnsConfig:
  options: [{ name: ndots, value: '1' }]
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- $keys := include "posthorn.secretKeys" . | fromYaml }}
{{- if or $keys .Values.nats.caSecret }}
volumes:
  {{- if $keys }}
  - name: secret
    secret:
      secretName: {{ .Values.secret.name }}
      defaultMode: 0440
      items:
        {{- range $key, $name := $keys }}
        - { key: {{ $key }}, path: {{ $key }} }
        {{- end }}
  {{- end }}
  {{- with .Values.nats.caSecret }}
  - name: nats-ca
    secret: { secretName: {{ . }}, items: [{ key: ca.crt, path: ca.crt }] }
  {{- end }}
{{- end }}
{{- end }}

{{- define "posthorn.mounts" -}}
{{- if include "posthorn.secretKeys" . | fromYaml }}
- { name: secret, mountPath: /run/secrets/posthorn, readOnly: true }
{{- end }}
{{- if .Values.nats.caSecret }}
- { name: nats-ca, mountPath: /run/secrets/nats-ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "posthorn.podTemplate" -}}
{{- $of := .of | default (index .Values.roles .role) -}}
metadata:
  labels:
    {{- include "posthorn.labels" . | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  {{- with .Values.podAnnotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "posthorn.podBase" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ add $of.preStopSeconds $of.shutdownDeadlineSeconds 10 }}
  topologySpreadConstraints:
    # Without Honor, a zone that has only nodes with a taint still counts as one with no pods, and new pods stay
    # Pending while it is down. By the hash: the pods of the last version do not count in a roll-out.
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: {{ .Values.topologySpread.zones }}
      nodeTaintsPolicy: Honor
      matchLabelKeys: [{{ if .Values.rollouts.enabled }}rollouts-pod-template-hash{{ else }}pod-template-hash{{ end }}]
      labelSelector: &pods
        matchLabels:
          {{- include "posthorn.selector" . | nindent 10 }}
          app.kubernetes.io/component: {{ .role }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: {{ .Values.topologySpread.hosts }}
      nodeTaintsPolicy: Honor
      matchLabelKeys: [{{ if .Values.rollouts.enabled }}rollouts-pod-template-hash{{ else }}pod-template-hash{{ end }}]
      labelSelector: *pods
  containers:
    - name: posthorn
      image: {{ include "posthorn.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run, --roles, {{ .role }}]
      env:
        {{- include "posthorn.env" . | nindent 8 }}
        - { name: POSTHORN_HTTP_HOST, value: 0.0.0.0 }
        - { name: POSTHORN_HTTP_PORT, value: '8080' }
        - { name: POSTHORN_OPS_HOST, value: 0.0.0.0 }
        - { name: POSTHORN_OPS_PORT, value: '9090' }
        - { name: POSTHORN_SHUTDOWN_DEADLINE_MS, value: '{{ mul $of.shutdownDeadlineSeconds 1000 }}' }
        - { name: NODE_OPTIONS, value: '--max-old-space-size={{ $of.heapMib }}' }
      ports:
        {{- if has .role (list "ingress" "control") }}
        - { name: http, containerPort: 8080 }
        {{- end }}
        {{- if eq .role "probe" }}
        - { name: probe, containerPort: 8082 }
        {{- end }}
        - { name: ops, containerPort: 9090 }
      # Liveness does not depend on NATS or MongoDB: their outage restarts no pod.
      startupProbe:
        httpGet: { path: /livez, port: ops }
        periodSeconds: 1
        timeoutSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: ops }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: ops }
        periodSeconds: 3
        timeoutSeconds: 2
        failureThreshold: 2
      # Give load balancers and other pods time to notice before the process stops listening.
      lifecycle:
        preStop: { sleep: { seconds: {{ $of.preStopSeconds }} } }
      resources: {{ toYaml $of.resources | nindent 8 }}
      securityContext: {{ include "posthorn.containerSecurity" . | nindent 8 }}
      {{- with include "posthorn.mounts" . | trim }}
      volumeMounts: {{ . | nindent 8 }}
      {{- end }}
{{- end }}
