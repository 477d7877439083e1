apiVersion: v1
kind: ServiceAccount
metadata: { name: {{ .Values.serviceAccount.name }} }
---
{{ include "workload" (dict "root" . "name" "aws-load-balancer-controller" "replicas" 2 "images" (list "aws-load-balancer-controller") "ports" (list 9443) "spec" (dict "serviceAccountName" .Values.serviceAccount.name)) }}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: alb }
spec: { controller: ingress.k8s.aws/alb }
