{{/*
When Helm runs the migration. An ExternalSecret of this release does not exist before the first installation. The processes
create missing streams and indexes by themselves, so the Job may run after them once.
*/}}
{{- define "posthorn.migrationHook" -}}
{{ if .Values.externalSecret.enabled }}post-install{{ else }}pre-install{{ end }},pre-upgrade
{{- end }}

{{/* A setting as text. Helm reads whole numbers as floating point: without int64, a million would be written 1e+06. */}}
{{- define "posthorn.setting" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Settings and addresses; the values of a role (env) precede the common settings. */}}
{{- define "posthorn.env" -}}
{{- $env := dict -}}
{{- $name := include "posthorn.name" . -}}
{{- $scheme := include "posthorn.scheme" . -}}
{{- $isCheck := has .role (list "test" "preview") -}}
{{- if $isCheck -}}
{{- range $side := list "ingress" "control" -}}
{{- /* Of a blue-green roll-out: the pods of this role that have no traffic yet. */}}
{{- $host := printf "%s-%s" $name $side -}}
{{- if eq $side ($.previewOf | default "") }}{{ $host = printf "%s-preview" $host }}{{ end -}}
{{- $_ := set $env (printf "%s_URL" (upper $side)) (printf "%s://%s" $scheme $host) -}}
{{- end -}}
{{- with .previewOf }}{{ $_ := set $env "TENANT" (printf "preview-%s" .) }}{{ $_ := set $env "EVENTS" "10" }}{{ end -}}
{{- if include "posthorn.secrets" . | fromYamlArray }}{{ $_ := set $env "PLATFORM_KEY_FILE" "/run/secrets/posthorn/bootstrapKey" }}{{ end -}}
{{- else -}}
{{- range $name, $value := .Values.settings }}{{ $_ := set $env $name (include "posthorn.setting" $value) }}{{ end -}}
{{- if and (has .role (list "ingress" "delivery" "control")) (not $env.POSTHORN_PUBLIC_URL) -}}
{{- with include "posthorn.publicUrl" . }}{{ $_ := set $env "POSTHORN_PUBLIC_URL" . }}{{ end -}}
{{- end -}}
{{- $_ := set $env "POSTHORN_NATS_URL" .Values.nats.url -}}
{{- if and .Values.nats.user (ne .role "probe") -}}
{{- $_ := set $env "POSTHORN_NATS_USER" (.Values.nats.userPerRole | ternary (printf "%s-%s" .Values.nats.user .role) .Values.nats.user) -}}
{{- end -}}
{{- $_ := set $env "POSTHORN_MONGODB_DATABASE" .Values.mongodb.database -}}
{{- if has .role (list "delivery" "control") -}}
{{- with include "posthorn.egressAllow" . }}{{ $_ := set $env "POSTHORN_EGRESS_ALLOW" . }}{{ end -}}
{{- end -}}
{{- if and .Values.probe.enabled (has .role (list "delivery" "control" "probe")) -}}
{{- $_ := set $env "POSTHORN_PROBE_RECEIVER_URL" (printf "http://%s-probe:8082" $name) -}}
{{- end -}}
{{- if eq .role "probe" -}}
{{- $_ := set $env "POSTHORN_PROBE_INGRESS_URL" (printf "%s://%s-ingress" $scheme $name) -}}
{{- $_ := set $env "POSTHORN_PROBE_CONTROL_URL" (printf "%s://%s-control" $scheme $name) -}}
{{- end -}}
{{- if ne .role "migrate" -}}
{{- $_ := set $env "POSTHORN_HTTP_HOST" "0.0.0.0" -}}
{{- $_ := set $env "POSTHORN_HTTP_PORT" "8080" -}}
{{- $_ := set $env "POSTHORN_OPS_HOST" "0.0.0.0" -}}
{{- $_ := set $env "POSTHORN_OPS_PORT" "9090" -}}
{{- $_ := set $env "POSTHORN_SHUTDOWN_DEADLINE_MS" (mul .of.shutdownDeadlineSeconds 1000 | toString) -}}
{{- $_ := set $env "NODE_OPTIONS" (printf "--max-old-space-size=%d" (int .of.heapMib)) -}}
{{- end -}}
{{- end -}}
{{- range include "posthorn.files" . | fromYamlArray -}}
{{- $volume := .volume -}}
{{- range $file, $setting := .settings }}{{ $_ := set $env $setting (printf "/run/secrets/%s/%s" $volume $file) }}{{ end -}}
{{- end -}}
{{- range $name, $value := .of.env }}{{ $_ := set $env $name (include "posthorn.setting" $value) }}{{ end -}}
{{- range $name, $value := $env }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- if not $isCheck }}
{{- include "posthorn.secretEnv" . }}
{{- end }}
{{- with .of.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "posthorn.volumes" -}}
{{- include "posthorn.secretVolume" . }}
{{- if has .role (list "test" "preview") }}
- name: script
  configMap: { name: {{ .name }} }
{{- end }}
{{- range include "posthorn.files" . | fromYamlArray }}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range $file, $setting := .settings }}
      - { key: {{ $file }}, path: {{ $file }} }
      {{- end }}
{{- end }}
{{- with .of.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "posthorn.mounts" -}}
{{- if include "posthorn.secretVolume" . }}
- { name: secret, mountPath: /run/secrets/posthorn, readOnly: true }
{{- end }}
{{- if has .role (list "test" "preview") }}
- { name: script, mountPath: /opt/test, readOnly: true }
{{- end }}
{{- range include "posthorn.files" . | fromYamlArray }}
- { name: {{ .volume }}, mountPath: /run/secrets/{{ .volume }}, readOnly: true }
{{- end }}
{{- with .of.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The account of a role. The migration runs before the release has accounts: it uses an existing one, or the namespace's. */}}
{{- define "posthorn.serviceAccount" -}}
{{- if .of.serviceAccount.name }}{{ .of.serviceAccount.name }}
{{- else if and .of.serviceAccount.create (not (has .role (list "migrate" "test" "preview"))) }}{{ .name }}{{ end -}}
{{- end }}

{{/* The pods of a role, of the probe, of the migration, of the test and of the check of previews. */}}
{{- define "posthorn.podTemplate" -}}
metadata:
  labels:
    {{- include "posthorn.roleLabels" . | nindent 4 }}
    {{- with .of.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .of.podAnnotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
spec: {{- include "posthorn.podSpec" . | nindent 2 }}
{{- end }}

{{- define "posthorn.podSpec" -}}
{{- $job := has .role (list "migrate" "test" "preview") -}}
{{- with include "posthorn.serviceAccount" . }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ .of.serviceAccount.automountToken }}
# Kubernetes would put POSTHORN_…_SERVICE_HOST into the environment, and an unknown setting stops the start.
enableServiceLinks: false
{{- if $job }}
restartPolicy: Never
{{- else }}
terminationGracePeriodSeconds: {{ add .of.preStopSeconds .of.shutdownDeadlineSeconds 10 }}
{{- end }}
{{- with .of.podSecurityContext }}
securityContext: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .of.dnsConfig }}
dnsConfig: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.hostAliases }}
hostAliases: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if not $job }}
topologySpreadConstraints:
  # Without Honor, a zone that has only nodes with a taint still counts as one with no pods, and new pods stay
  # Pending while it is down. By the hash: the pods of the last version do not count in a roll-out.
  {{- $hash := and .Values.rollouts.enabled (ne .role "probe") | ternary "rollouts-pod-template-hash" "pod-template-hash" }}
  {{- range list (list "topology.kubernetes.io/zone" .of.topologySpread.zones) (list "kubernetes.io/hostname" .of.topologySpread.hosts) }}
  - maxSkew: 1
    topologyKey: {{ first . }}
    whenUnsatisfiable: {{ last . }}
    nodeTaintsPolicy: Honor
    matchLabelKeys: [{{ $hash }}]
    labelSelector:
      matchLabels: {{ include "posthorn.roleSelector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- with include "posthorn.volumes" . | trim }}
volumes: {{ . | nindent 2 }}
{{- end }}
{{- with .of.initContainers }}
initContainers: {{ tpl (toYaml .) $ | nindent 2 }}
{{- end }}
containers:
  - name: {{ $job | ternary .role "posthorn" }}
    image: {{ include "posthorn.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- if has .role (list "test" "preview") }}
    command: [node, /opt/test/check.mjs]
    {{- else }}
    args: {{ eq .role "migrate" | ternary "[migrate]" (printf "[run, --roles, %s]" .role) }}
    {{- end }}
    env: {{ include "posthorn.env" . | trim | nindent 6 }}
    {{- with .of.envFrom }}
    envFrom: {{ toYaml . | nindent 6 }}
    {{- end }}
    {{- if not $job }}
    {{- include "posthorn.serving" . | nindent 4 }}
    {{- end }}
    {{- with .of.resources }}
    resources: {{ toYaml . | nindent 6 }}
    {{- end }}
    {{- with .of.securityContext }}
    securityContext: {{ toYaml . | nindent 6 }}
    {{- end }}
    {{- with include "posthorn.mounts" . | trim }}
    volumeMounts: {{ . | nindent 6 }}
    {{- end }}
  {{- with .of.sidecars }}
  {{- tpl (toYaml .) $ | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Ports, probes and the pause before the end of a process that serves. */}}
{{- define "posthorn.serving" -}}
{{- $scheme := include "posthorn.scheme" . | upper -}}
ports:
  {{- if include "posthorn.hasHttp" . }}
  - { name: {{ include "posthorn.scheme" . }}, containerPort: 8080 }
  {{- end }}
  {{- if eq .role "probe" }}
  - { name: probe, containerPort: 8082 }
  {{- end }}
  - { name: ops, containerPort: 9090 }
# Liveness does not depend on NATS or MongoDB: their outage restarts no pod.
startupProbe:
  httpGet: { path: /livez, port: ops, scheme: {{ $scheme }} }
  {{- toYaml .of.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: { path: /livez, port: ops, scheme: {{ $scheme }} }
  {{- toYaml .of.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: { path: /readyz, port: ops, scheme: {{ $scheme }} }
  {{- toYaml .of.probes.readiness | nindent 2 }}
# Give load balancers and other pods time to notice before the process stops listening.
lifecycle:
  preStop: { sleep: { seconds: {{ .of.preStopSeconds }} } }
{{- end }}
