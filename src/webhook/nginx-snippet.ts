export interface NginxSnippetOptions {
  /** The local registry: `127.0.0.1:5000`, or its URL. */
  readonly registryAddress: string
  /** Where nginx reaches pullsync's public listener, for example `http://127.0.0.1:8080`. */
  readonly webhookUrl: string
  /** The `pull-miss` source that this nginx is, and its secret. */
  readonly sourceId: string
  readonly secret: string
  /** Where clients pull, as nginx's `listen` takes it; `80` unless told. */
  readonly listen?: string
}

/**
 * What goes inside nginx's `http {}`: a server before the local registry that tells pullsync about
 * each manifest that a GET or HEAD did not find. The client gets the registry's own 404 at once,
 * whether or not pullsync is there. Needs nginx 1.13.4 or later, core modules only.
 * @throws RangeError for a secret that cannot be sent in a header
 */
export function nginxSnippet(options: NginxSnippetOptions): string {
  const registry = originOf(options.registryAddress)
  const webhook = originOf(options.webhookUrl)
  return `${upstreams(registry, webhook, options.secret)}
server {
  listen ${options.listen ?? '80'};
  client_max_body_size 0;
  # The registry sees each path as the client wrote it, so it must be looked at like that here.
  merge_slashes off;

  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_read_timeout 900s;
  proxy_send_timeout 900s;
${secureTo(registry, '  ')}
  location / { proxy_pass ${registry.scheme}//pullsync_registry; }

  # Only valid names get into the report. They are captured here because the mirrored request below
  # keeps captures, while its own path is another one.
  location ~ "^/v2/(?<pullsync_repository>${REPOSITORY})/manifests/(?<pullsync_reference>${REFERENCE})$" {
    error_page 418 = @pullsync_untouched;
    if ($request_method !~ ^(GET|HEAD)$) { return 418; }
    proxy_pass ${registry.scheme}//pullsync_registry;
    proxy_intercept_errors on;
    error_page 404 = @pullsync_miss;
  }
  location @pullsync_untouched { proxy_pass ${registry.scheme}//pullsync_registry; }

  # The same request once more, for the registry's own words, and the report beside it.
  location @pullsync_miss {
    mirror /_pullsync_miss;
    mirror_request_body off;
    proxy_pass ${registry.scheme}//pullsync_registry;
  }
${report(webhook, options.sourceId)}
}
`
}

interface Origin {
  readonly scheme: string
  readonly host: string
  /** With a port, as nginx's \`upstream\` wants it. */
  readonly address: string
}

// OCI distribution-spec, "Pulling manifests".
const COMPONENT = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*'
export const REPOSITORY = `${COMPONENT}(?:/${COMPONENT})*`
export const REFERENCE =
  '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}'

// nginx replaces $names in every string but those of a \`geo\` block; a secret may hold any character.
function upstreams(registry: Origin, webhook: Origin, secret: string): string {
  return `upstream pullsync_registry { server ${registry.address}; keepalive 16; }
upstream pullsync_webhook { server ${webhook.address}; keepalive 8; }
geo $pullsync_secret { default ${quotedSecret(secret)}; }
`
}

// A report that hangs delays the next request on the client's connection, hence the short limits.
function report(webhook: Origin, sourceId: string): string {
  return `  location = /_pullsync_miss {
    internal;
    proxy_pass ${webhook.scheme}//pullsync_webhook/v1/events/${encodeURIComponent(sourceId)};
    proxy_method POST;
    # Nothing of the client's own headers: they hold its password.
    proxy_pass_request_headers off;
    proxy_set_header Connection "";
    proxy_set_header Host ${webhook.host};
    proxy_set_header Authorization "Bearer $pullsync_secret";
    proxy_set_header Content-Type "application/json";
    proxy_set_header User-Agent $http_user_agent;
    proxy_set_header X-Request-Id $request_id;
    proxy_set_body '{"id":"$request_id","repository":"$pullsync_repository","reference":"$pullsync_reference","method":"$request_method"}';
    proxy_connect_timeout 500ms;
    proxy_send_timeout 500ms;
    proxy_read_timeout 1s;
    proxy_ignore_client_abort on;
${secureTo(webhook, '    ')}  }`
}

function secureTo({ scheme, host }: Origin, indent: string): string {
  if (scheme === 'http:') return ''
  const name = new URL(`https://${host}`).hostname
  return [
    'proxy_ssl_server_name on;',
    `proxy_ssl_name ${name};`,
    '# To verify the certificate: proxy_ssl_verify on; proxy_ssl_trusted_certificate /path/to/ca.pem;',
  ]
    .map((line) => `${indent}${line}\n`)
    .join('')
}

function originOf(text: string): Origin {
  const url = new URL(text.includes('://') ? text : `http://${text}`)
  const port = url.port === '' ? ({ 'https:': '443' }[url.protocol] ?? '80') : url.port
  return { scheme: url.protocol, host: url.host, address: `${url.hostname}:${port}` }
}

function quotedSecret(secret: string): string {
  if (!/^[\x20-\x7e]+$/.test(secret)) {
    throw new RangeError('a secret that nginx is to send must be printable ASCII and not empty')
  }
  return `"${secret.replaceAll(/["\\]/g, '\\$&')}"`
}
