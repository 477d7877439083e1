{{/* The ports of the URLs of NATS, as YAML: a URL without a port means 4222. */}}
{{- define "posthorn.natsPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.nats.url -}}
{{- $host := regexReplaceAll "^[a-z]+://([^@/]*@)?([^/]*).*$" . "${2}" -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- $ports = append $ports (int ($port | default "4222")) -}}
{{- end -}}
{{- uniq $ports | toYaml -}}
{{- end }}

{{/* The roles that an entry of network.egress is for, as YAML. */}}
{{- define "posthorn.egressRoles" -}}
{{- $ofPurpose := dict
  "nats" (list "ingress" "router" "delivery" "control" "migrate")
  "mongodb" (list "ingress" "control" "migrate")
  "webhooks" (list "delivery")
  "telemetry" (list "ingress" "router" "delivery" "control") -}}
{{- .roles | default (index $ofPurpose .purpose) | toYaml -}}
{{- end }}

{{/* One peer of a NetworkPolicy: a network, or pods of a namespace. */}}
{{- define "posthorn.peer" -}}
{{- if .cidr -}}
- ipBlock: { cidr: {{ .cidr | quote }} }
{{- else -}}
- namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .namespace }} } }
{{- with .podLabels }}
  podSelector: { matchLabels: {{ toJson . }} }
{{- end }}
{{- end }}
{{- end }}

{{/* The rules of network.egress for one role. Webhooks to a private network may have any port. */}}
{{- define "posthorn.egressRules" -}}
{{- $role := .role -}}
{{- $natsPorts := include "posthorn.natsPorts" . | fromYamlArray -}}
{{- range .Values.network.egress }}
{{- if has $role (include "posthorn.egressRoles" . | fromYamlArray) }}
- to:
    {{- include "posthorn.peer" . | nindent 4 }}
  ports:
    {{- if .endPort }}
    - { protocol: TCP, port: {{ .port }}, endPort: {{ .endPort }} }
    {{- else }}
    {{- $ports := .ports }}
    {{- if .port }}{{ $ports = list .port }}{{ else if and (not $ports) (eq .purpose "nats") }}{{ $ports = $natsPorts }}{{ end }}
    {{- range $ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- else }}
    - { protocol: TCP }
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name resolution: every pod needs it. */}}
{{- define "posthorn.dnsRules" -}}
{{- range .Values.network.dns }}
- to:
    {{- include "posthorn.peer" . | nindent 4 }}
  ports: [{ protocol: UDP, port: {{ .port | default 53 }} }, { protocol: TCP, port: {{ .port | default 53 }} }]
{{- end }}
{{- end }}

{{/* The private networks that webhooks may be sent to: what the policy allows, the program allows too. */}}
{{- define "posthorn.egressAllow" -}}
{{- $cidrs := list -}}
{{- range .Values.network.egress -}}
{{- if eq .purpose "webhooks" }}{{ $cidrs = append $cidrs .cidr }}{{ end -}}
{{- end -}}
{{- join "," $cidrs -}}
{{- end }}

{{/* The rules of the NetworkPolicy of one role. */}}
{{- define "posthorn.policyOfRole" -}}
podSelector:
  matchLabels:
    {{- include "posthorn.selector" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
policyTypes: [Ingress, Egress]
{{- if ne .role "migrate" }}
ingress:
  - from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ $.Values.network.monitoringNamespace }} } } }]
    ports: [{ protocol: TCP, port: ops }]
  {{- if has .role (list "ingress" "control") }}
  {{- if or $.Values.network.clientNamespaces $.Values.network.clientCidrs }}
  - from:
      {{- range $.Values.network.clientNamespaces }}
      - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . }} } }
      {{- end }}
      {{- range $.Values.network.clientCidrs }}
      - ipBlock: { cidr: {{ . }} }
      {{- end }}
    ports: [{ protocol: TCP, port: {{ include "posthorn.scheme" $ }} }]
  {{- end }}
  {{- end }}
{{- end }}
egress:
  {{- include "posthorn.dnsRules" $ | trim | nindent 2 }}
  {{- include "posthorn.egressRules" . | trim | nindent 2 }}
  {{- if eq .role "delivery" }}
  # Webhooks: public addresses only. The second guard; the first is in the worker, on the address that it dials
  # (src/domain/endpoint/egress.ts). The lists come from the IANA registries of special-purpose addresses.
  - to:
      - ipBlock:
          cidr: 0.0.0.0/0
          except:
            {{- range list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "169.254.0.0/16" "172.16.0.0/12" "192.0.0.0/24" "192.0.2.0/24" "192.88.99.0/24" "192.168.0.0/16" "198.18.0.0/15" "198.51.100.0/24" "203.0.113.0/24" "224.0.0.0/4" "240.0.0.0/4" }}
            - {{ . }}
            {{- end }}
      # The only assigned block of IPv6, without its special parts.
      - ipBlock:
          cidr: 2000::/3
          except: ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
    {{- /* All ports: an endpoint may have any. */}}
    ports: [{ protocol: TCP }]
  {{- end }}{{- end }}

{{/* Policies of a pod that checks the API, .role: its own, and that of the pods which it calls. */}}
{{- define "posthorn.checkPolicies" }}
{{- $labels := include "posthorn.roleLabels" . }}
{{- $called := dict "matchLabels" (include "posthorn.selector" . | fromYaml) "matchExpressions" (list (dict "key" "app.kubernetes.io/component" "operator" "In" "values" (list "ingress" "control"))) }}
{{- $caller := include "posthorn.roleSelector" . | fromYaml }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  labels: {{ $labels | nindent 4 }}
  annotations: {{ toYaml .annotations | nindent 4 }}
spec:
  podSelector: { matchLabels: {{ toJson $caller }} }
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "posthorn.dnsRules" . | trim | nindent 4 }}
    - to: [{ podSelector: {{ toJson $called }} }]
      ports: [{ protocol: TCP, port: {{ include "posthorn.scheme" . }} }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}-publishes
  labels: {{ $labels | nindent 4 }}
  annotations: {{ toYaml .annotations | nindent 4 }}
spec:
  podSelector: {{ toJson $called }}
  policyTypes: [Ingress]
  ingress:
    - from: [{ podSelector: { matchLabels: {{ toJson $caller }} } }]
      ports: [{ protocol: TCP, port: {{ include "posthorn.scheme" . }} }]
{{- end }}
