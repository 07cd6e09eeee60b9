import { resolve } from 'node:path'
import type {
  Address,
  AdminConfig,
  Config,
  CredentialsConfig,
  LocalConfig,
  ProjectConfig,
  RedisConfig,
  RegistryConfig,
  SentinelsConfig,
  SourceConfig,
  TokenConfig,
  UpstreamConfig,
} from './config.ts'
import { type ReadFiles, secretIn } from './reading/file-references.ts'
import type {
  ConfigFile,
  ProjectSection,
  LocalSection,
  RegistrySection,
  SourceSection,
  UpstreamSection,
} from './schema/schema.ts'

/** Text of a file that the configuration names, read and checked before. */
type FileText = (name: string) => string

/** The configuration from a file in which everything was found right. */
export function buildConfig(
  parsedFile: ConfigFile,
  files: ReadFiles,
  place: { readonly file: string; readonly folder: string; readonly keysInFile: readonly string[] },
): Config {
  const pathOf = (name: string) => resolve(place.folder, name)
  const textOf = fileText(files, pathOf)
  const named: NamedFiles = { textOf, pathOf }
  const { local, upstreams, projects, sources, jobs, misses, outages, spool } = parsedFile
  return {
    file: place.file,
    keysInFile: place.keysInFile,
    ...(parsedFile.redis && { redis: redisConfig(parsedFile.redis, textOf) }),
    listen: parsedFile.listen,
    trustedProxies: parsedFile.trustedProxies,
    admin: adminConfig(parsedFile.admin, textOf),
    local: localConfig(local, named),
    upstreams: new Map(
      Object.entries(upstreams).map(([id, each]) => [id, upstreamConfig(id, each, named)]),
    ),
    projects: projects.map(projectConfig),
    sources: new Map(
      Object.entries(sources).map(([id, each]) => [id, sourceConfig(id, each, textOf)]),
    ),
    jobs: {
      attempts: jobs.attempts,
      backoffMs: jobs.backoff,
      maxBackoffMs: jobs.maxBackoff,
      keepCompleted: { ageMs: jobs.keepCompleted.age, count: jobs.keepCompleted.count },
      keepFailed: { ageMs: jobs.keepFailed.age, count: jobs.keepFailed.count },
    },
    misses,
    outages: {
      failures: outages.failures,
      pauseMs: outages.pause,
      maxPauseMs: outages.maxPause,
    },
    spool: {
      ...(spool.folder !== undefined && { folder: pathOf(spool.folder) }),
      ...(spool.size !== undefined && { maxBytes: spool.size }),
    },
  }
}

interface NamedFiles {
  readonly textOf: FileText
  /** The absolute name. */
  readonly pathOf: (name: string) => string
}

function fileText(files: ReadFiles, pathOf: NamedFiles['pathOf']): FileText {
  return (name) => {
    const read = files.get(pathOf(name))
    if (read?.ok !== true) throw new Error(`${name} was not checked before it was used`)
    return read.text
  }
}

interface Login {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
}

function passwordOf({ password, passwordFile }: Login, textOf: FileText): string | undefined {
  return passwordFile === undefined ? password : secretIn(textOf(passwordFile))
}

function redisConfig(redis: NonNullable<ConfigFile['redis']>, textOf: FileText): RedisConfig {
  const sentinels = sentinelsConfig(redis, textOf)
  return {
    url: redisUrl(redis, textOf),
    ...certificates(redis, textOf),
    ...(sentinels !== undefined && { sentinels }),
    ...(redis.cluster !== undefined && { cluster: redis.cluster }),
    ...(redis.waitAof && { waitAof: true }),
  }
}

function sentinelsConfig(
  { sentinels: addresses, name, sentinelLogin = {} }: NonNullable<ConfigFile['redis']>,
  textOf: FileText,
): SentinelsConfig | undefined {
  if (addresses === undefined || name === undefined) return undefined
  const password = passwordOf(sentinelLogin, textOf)
  return {
    addresses,
    name,
    ...(sentinelLogin.username !== undefined && { username: sentinelLogin.username }),
    ...(password !== undefined && { password }),
  }
}

interface Certificates {
  readonly caFile?: string | undefined
  readonly clientCertFile?: string | undefined
  readonly clientKeyFile?: string | undefined
}

function certificates(
  from: Certificates,
  textOf: FileText,
): Pick<RedisConfig, 'ca' | 'clientCertificate'> {
  const { caFile, clientCertFile, clientKeyFile } = from
  return {
    ...(caFile !== undefined && { ca: textOf(caFile) }),
    ...(clientCertFile !== undefined &&
      clientKeyFile !== undefined && {
        clientCertificate: { cert: textOf(clientCertFile), key: textOf(clientKeyFile) },
      }),
  }
}

interface RedisPlace {
  readonly url?: URL | undefined
  readonly sentinels?: readonly Address[] | undefined
  readonly cluster?: readonly Address[] | undefined
  readonly tls: boolean
}

function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function redisUrl(redis: Login & RedisPlace, textOf: FileText): string {
  const [first] = redis.sentinels ?? redis.cluster ?? []
  const scheme = redis.tls ? 'rediss' : 'redis'
  const url = new URL(redis.url ?? `${scheme}://${first === undefined ? '' : formatAddress(first)}`)
  const password = passwordOf(redis, textOf)
  if (redis.username !== undefined) url.username = encodeURIComponent(redis.username)
  if (password !== undefined) url.password = encodeURIComponent(password)
  return url.href
}

function adminConfig(admin: ConfigFile['admin'], textOf: FileText): AdminConfig {
  const password = passwordOf(admin, textOf)
  return {
    listen: admin.listen,
    username: admin.username,
    ...(password !== undefined && { password }),
  }
}

function registryConfig(id: string, from: RegistrySection, named: NamedFiles): RegistryConfig {
  const { textOf, pathOf } = named
  const password = passwordOf(from, textOf)
  const credentials = credentialsConfig(from, pathOf)
  return {
    id,
    url: from.url,
    ...(from.username !== undefined && { username: from.username }),
    ...(password !== undefined && { password }),
    ...(credentials !== undefined && { credentials }),
    ...certificates(from, textOf),
    trustedHosts: from.trustedHosts,
  }
}

function credentialsConfig(
  { dockerConfig, accessTokenFile, auth }: RegistrySection,
  pathOf: NamedFiles['pathOf'],
): CredentialsConfig | undefined {
  if (dockerConfig !== undefined) return { kind: 'docker-config', file: pathOf(dockerConfig) }
  if (accessTokenFile !== undefined) return { kind: 'access-token', file: pathOf(accessTokenFile) }
  return auth === undefined ? undefined : { kind: auth }
}

function localConfig(from: LocalSection, named: NamedFiles): LocalConfig {
  const { redirectBlobsTo } = from
  return {
    ...registryConfig('local', from, named),
    ...(redirectBlobsTo !== undefined && { redirectBlobsTo }),
  }
}

function upstreamConfig(id: string, from: UpstreamSection, named: NamedFiles): UpstreamConfig {
  const { maxBytesPerSecond } = from
  return {
    ...registryConfig(id, from, named),
    concurrency: from.concurrency,
    rateLimitFloor: from.rateLimitFloor,
    ...(maxBytesPerSecond !== undefined && { maxBytesPerSecond }),
  }
}

const STATUSES = { 404: 404, 429: 429, 503: 503 } as const

function projectConfig(from: ProjectSection): ProjectConfig {
  const [first = '', ...others] = from.upstream
  const { upstreamProject, resync } = from
  return {
    name: from.name,
    upstreams: [first, ...others],
    autoSync: from.autoSync,
    ...(upstreamProject !== undefined && { upstreamProject }),
    repositories: from.repositories,
    tags: from.tags,
    platforms: from.platforms,
    referrers: from.referrers,
    onUpstreamPush: from.onUpstreamPush,
    revalidateAfterMs: from.revalidateAfter,
    onHit: from.onHit,
    onMiss: from.onMiss,
    holdForMs: from.holdFor,
    policy: from.policy,
    onUnavailable: STATUSES[from.onUnavailable],
    tagList: from.tagList,
    onUpstreamDelete: from.onUpstreamDelete,
    ...(resync !== undefined && { resync }),
  }
}

function sourceConfig(id: string, from: SourceSection, textOf: FileText): SourceConfig {
  const { format, registry, secret, secretFile = [] } = from
  const secrets = secret ?? secretFile.map((name) => secretIn(textOf(name)))
  const token = tokenConfig(from)
  return { id, format, registry, secrets, ...(token && { token }) }
}

// Google's, of OpenID Connect: https://accounts.google.com/.well-known/openid-configuration
const KEYS_URL = 'https://www.googleapis.com/oauth2/v3/certs'

function tokenConfig({ audience, email, keysUrl }: SourceSection): TokenConfig | undefined {
  if (audience === undefined || email === undefined) return undefined
  return { audience, email, keysUrl: keysUrl ?? new URL(KEYS_URL) }
}
