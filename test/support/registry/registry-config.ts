import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Passwords that a registry with `htpasswd` can be given; their bcrypt lines were made beforehand. */
export type KnownPassword = 'correct-horse' | 'battery-staple'

export interface RegistryOptions {
  /** CNCF distribution of another version than that of Debian. */
  readonly program?: string | undefined
  readonly port?: number
  /** 127.0.0.1 unless told. */
  readonly address?: string
  /** Kept when the registry is disposed of; unless given, a new folder that is removed. */
  readonly storageFolder?: string
  /** True unless told. */
  readonly deleteEnabled?: boolean
  readonly htpasswd?: { readonly username: string; readonly password: KnownPassword }
  readonly tokenAuth?: {
    readonly realm: string
    readonly service: string
    readonly issuer: string
    /** A PEM file. */
    readonly rootCertBundle: string
  }
  readonly tls?: {
    readonly certFile: string
    readonly keyFile: string
    /** A PEM file: clients must show a certificate of it. */
    readonly clientCa?: string
  }
  readonly notifications?: readonly NotificationEndpoint[]
  /** Further top-level YAML, for example a `notifications:` block as an operator would paste it. */
  readonly extraConfig?: string
  /** `error` unless told. The access log is always on. */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug'
  /** As it is put for garbage collection: pulls work, pushes do not. */
  readonly readOnly?: boolean
  /** It remembers in its memory which blobs it has, as Debian's package and the container image are set up. */
  readonly remembersBlobs?: boolean
  /** Makes it a pull-through cache of this registry. */
  readonly proxyOf?: string
  /** A PEM file: who may vouch for that registry. */
  readonly trusts?: string | undefined
}

/** Sends every event, also those of blobs and pulls. */
export interface NotificationEndpoint {
  readonly name: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Failures in a row after which it waits `backoffMs` between attempts; 3 unless told. */
  readonly threshold?: number
  /** 200 unless told. */
  readonly backoffMs?: number
  /** 1,000 unless told. */
  readonly timeoutMs?: number
}

export const PROBE_HEADER = 'X-Pullsync-Test-Probe'

export interface RegistryPlace {
  readonly folder: string
  readonly storageFolder: string
  readonly port: number
  /** Sent with every response, to tell this registry from others. */
  readonly probe: string
}

const BCRYPT: Readonly<Record<KnownPassword, string>> = {
  'correct-horse': '$2b$04$8IGSSjm8pvBgLw7sU6xtBeslC0CVdfegcz401X4AJ5/m/IvAevJvG',
  'battery-staple': '$2b$04$DOeOzcegT8cobsw6pwKfRO3R2NzX9JwxXM4JxLNnjmtM1hMmBd2Qu',
}

/** The registry's configuration file; JSON is YAML. Writes the password file that it names. */
export async function registryConfig(
  options: RegistryOptions,
  place: RegistryPlace,
): Promise<string> {
  const config = {
    version: '0.1',
    log: { level: options.logLevel ?? 'error', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: place.storageFolder },
      delete: { enabled: options.deleteEnabled ?? true },
      ...(options.remembersBlobs === true && { cache: { blobdescriptor: 'inmemory' } }),
      ...(options.readOnly === true && { maintenance: { readonly: { enabled: true } } }),
    },
    http: {
      addr: `${options.address ?? '127.0.0.1'}:${place.port}`,
      headers: { [PROBE_HEADER]: [place.probe] },
      ...tlsConfig(options),
    },
    ...(await authConfig(options, place.folder)),
    ...notificationsConfig(options.notifications),
    ...(options.proxyOf === undefined ? {} : { proxy: { remoteurl: options.proxyOf } }),
  }
  // Block style at the top level, so that a pasted block can follow.
  const blocks = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  return [...blocks, options.extraConfig ?? ''].join('\n')
}

function tlsConfig({ tls }: RegistryOptions): object {
  if (tls === undefined) return {}
  const clientcas = tls.clientCa === undefined ? {} : { clientcas: [tls.clientCa] }
  return { tls: { certificate: tls.certFile, key: tls.keyFile, ...clientcas } }
}

async function authConfig(options: RegistryOptions, folder: string): Promise<object> {
  if (options.htpasswd !== undefined) {
    const path = join(folder, 'htpasswd')
    const { username, password } = options.htpasswd
    await writeFile(path, `${username}:${BCRYPT[password]}\n`)
    return { auth: { htpasswd: { realm: 'test', path } } }
  }
  if (options.tokenAuth === undefined) return {}
  const { realm, service, issuer, rootCertBundle } = options.tokenAuth
  return { auth: { token: { realm, service, issuer, rootcertbundle: rootCertBundle } } }
}

function notificationsConfig(endpoints: readonly NotificationEndpoint[] | undefined): object {
  if (endpoints === undefined) return {}
  return {
    notifications: {
      endpoints: endpoints.map((endpoint) => ({
        name: endpoint.name,
        url: endpoint.url,
        headers: Object.fromEntries(
          Object.entries(endpoint.headers ?? {}).map(([name, value]) => [name, [value]]),
        ),
        timeout: `${endpoint.timeoutMs ?? 1_000}ms`,
        threshold: endpoint.threshold ?? 3,
        backoff: `${endpoint.backoffMs ?? 200}ms`,
      })),
    },
  }
}
