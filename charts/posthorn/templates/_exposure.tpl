{{/*
What is open to clients, as a list of { name, role, host }: publishing and the API have the same paths and go to different
roles, so each has a host. A side without its role, or that is turned off, is missing.
*/}}
{{- define "posthorn.sides" -}}
{{- $sides := list -}}
{{- $roles := include "posthorn.roles" . | fromYamlArray -}}
{{- $block := .Values.ingress.enabled | ternary .Values.ingress .Values.gateway -}}
{{- range $side := list (dict "name" "publish" "role" "ingress") (dict "name" "api" "role" "control") -}}
{{- $_ := set $side "host" (index $block (printf "%sHost" $side.name)) -}}
{{- if and (has $side.role $roles) (ne (toString (index $block $side.name).enabled) "false") }}{{ $sides = append $sides $side }}{{ end -}}
{{- end -}}
{{- $sides | toYaml -}}
{{- end }}

{{/* The address of the API that clients use, for links to payloads; empty if nothing is open. */}}
{{- define "posthorn.publicUrl" -}}
{{- if or .Values.ingress.enabled .Values.gateway.enabled -}}
{{- range include "posthorn.sides" . | fromYamlArray }}{{ if eq .name "api" }}https://{{ .host }}{{ end }}{{ end -}}
{{- end -}}
{{- end }}
