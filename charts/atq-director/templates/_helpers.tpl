{{- define "atq.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "atq.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "atq.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "atq.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-wide names carry the namespace: two releases of one name may stand in two namespaces. */}}
{{- define "atq.clustername" -}}
{{- printf "%s:%s" .Release.Namespace (include "atq.fullname" .) -}}
{{- end -}}

{{- define "atq.selector" -}}
app.kubernetes.io/name: {{ include "atq.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "atq.labels" -}}
{{ include "atq.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: atq
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "atq.serviceaccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "atq.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* repository, then @digest or :tag; each empty field is taken from the second image. */}}
{{- define "atq.reference" -}}
{{- $of := .of -}}{{- $else := .else -}}
{{- $repository := default $else.repository $of.repository -}}
{{- $digest := $of.digest -}}
{{- if and (not $digest) (not $of.tag) -}}{{- $digest = $else.digest -}}{{- end -}}
{{- if $digest -}}
{{- printf "%s@%s" $repository $digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .version (default $else.tag $of.tag)) -}}
{{- end -}}
{{- end -}}

{{- define "atq.image" -}}
{{- include "atq.reference" (dict "of" .Values.image "else" .Values.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{- define "atq.agentimage" -}}
{{- include "atq.reference" (dict "of" .Values.agentImage "else" .Values.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{- define "atq.config" -}}
{{- $config := dict
  "store" "kubernetes"
  "listen" (printf "[::]:%d" (int .Values.port))
  "log" .Values.log
  "maxConcurrentReconciles" .Values.maxConcurrentReconciles
  "kubernetes" (dict
    "namespaces" .Values.namespaces
    "leaseNamespace" .Release.Namespace
    "leaseName" (include "atq.fullname" .)
    "agentImage" (include "atq.agentimage" .)
    "imagePullPolicy" (default .Values.image.pullPolicy .Values.agentImage.pullPolicy))
  "runtimes" (list (dict "name" "kubernetes" "type" "kubernetes" "maxConcurrentRuns" .Values.maxConcurrentRuns)) -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* The rules of one role of files/permissions.yaml. */}}
{{- define "atq.rules" -}}
{{- $all := .root.Files.Get "files/permissions.yaml" -}}
{{- $roles := $all | replace "LEASE" (include "atq.fullname" .root) | fromYaml -}}
{{- toYaml (required (printf "files/permissions.yaml has no role %s" .role) (get $roles .role)) -}}
{{- end -}}
