import { REFERENCE, REPOSITORY } from './nginx-snippet.ts'

export interface HarborNginxOptions {
  /** Where Harbor's nginx or its Ingress reaches pullsync's gateway: `http://10.0.0.7:8080`. */
  readonly gatewayUrl: string
  /** The local projects that pullsync fills. */
  readonly projects: readonly string[]
}

/** Where Harbor runs: by its installer with Docker Compose, or by its Helm chart behind an Ingress. */
export type HarborInstall = 'compose' | 'ingress'

/** Whole files that put pullsync's gateway beside Harbor: the portal, its API and its tokens stay Harbor's own. */
export function harborNginx(install: HarborInstall, options: HarborNginxOptions): string {
  return install === 'compose' ? composeFile(options) : ingressFile(options)
}

/**
 * Included by Harbor's own nginx inside its `server {}`, where a regular expression goes before its `location /v2/`.
 * The header lines are those of that location: nginx passes none of them on to a location that has lines of its own.
 */
function composeFile({ gatewayUrl }: HarborNginxOptions): string {
  return `# Hands the pulls that miss in Harbor to pullsync's gateway. For Harbor's installer with Docker Compose:
# put this file into common/config/nginx/conf.d/ beside Harbor's docker-compose.yml, as
# harbor.https.pullsync.conf (harbor.http.pullsync.conf for a Harbor without TLS), see that it is there again after
# each "prepare", and have nginx take it: docker compose exec proxy nginx -s reload
#
# In pullsync.yaml: local.url is Harbor's own address, and trustedProxies names this nginx.
${location('manifests', REFERENCE, '$request_method !~ ^(GET|HEAD)$')}
${location('blobs', DIGEST, '$request_method != GET')}

# The gateway's answer stands, also its 404: that is Harbor's own. Only when it is away, Harbor is asked again.
location @pullsync_gateway {
  proxy_pass ${gatewayUrl};
${HEADERS}
${gatewayUrl.startsWith('https:') ? '  proxy_ssl_server_name on;\n' : ''}  proxy_connect_timeout 1s;
  # Longer than any holdFor.
  proxy_read_timeout 120s;
  proxy_intercept_errors on;
  error_page 502 503 504 = @pullsync_untouched;
}
location @pullsync_untouched {
  proxy_pass http://core;
${HEADERS}
  proxy_send_timeout 900;
  proxy_read_timeout 900;
}
`
}

const DIGEST = 'sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}'

function location(kind: string, reference: string, others: string): string {
  return `location ~ "^/v2/${REPOSITORY}/${kind}/(?:${reference})$" {
  error_page 418 = @pullsync_untouched;
  if (${others}) { return 418; }
  # What the gateway itself asks Harbor comes through here, too, and must not go back to it.
  if ($http_via ~ "pullsync-") { return 418; }
  proxy_pass http://core;
${HEADERS}
  proxy_send_timeout 900;
  proxy_read_timeout 900;
  proxy_intercept_errors on;
  recursive_error_pages on;
  error_page 404 = @pullsync_gateway;
}`
}

const HEADERS = `  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $x_forwarded_proto;
  proxy_buffering off;
  proxy_request_buffering off;`

/** Of two paths that fit, an Ingress takes the longer one: Harbor's own has `/v2/`. */
function ingressFile({ projects, gatewayUrl }: HarborNginxOptions): string {
  const { port } = new URL(gatewayUrl)
  const backend = `{ service: { name: pullsync, port: { number: ${port === '' ? '80' : port} } } }`
  return `# Sends what concerns these projects to pullsync's gateway. For Harbor's Helm chart with expose.type: ingress, in the
# namespace of pullsync, whose Service is named pullsync here. Put in Harbor's own host, class and TLS secret.
#
# In pullsync.yaml: local.url is the Service of Harbor's core, such as http://harbor-core.harbor.svc, and
# trustedProxies names the Ingress controller. While no pullsync runs, these projects cannot be pulled.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: pullsync-before-harbor
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: '0'
    nginx.ingress.kubernetes.io/proxy-request-buffering: 'off'
    nginx.ingress.kubernetes.io/proxy-buffering: 'off'
    nginx.ingress.kubernetes.io/proxy-read-timeout: '900'
    nginx.ingress.kubernetes.io/proxy-send-timeout: '900'
spec:
  ingressClassName: nginx
  tls: [{ hosts: [harbor.example], secretName: harbor-ingress }]
  rules:
    - host: harbor.example
      http:
        paths:
${projects.map((name) => `          - { path: /v2/${name}/, pathType: Prefix, backend: ${backend} }`).join('\n')}
`
}
