import { resolve } from 'node:path'
import type {
  AdminConfig,
  Config,
  CredentialsConfig,
  LocalConfig,
  ProjectConfig,
  RegistryConfig,
  SourceConfig,
  TokenConfig,
  UpstreamConfig,
} from './config.ts'
import { type ReadFiles, secretIn } from './file-references.ts'
import type {
  ConfigFile,
  ProjectSection,
  LocalSection,
  RegistrySection,
  SourceSection,
  UpstreamSection,
} from './schema.ts'

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
  const { local, upstreams, projects, sources, jobs, misses } = parsedFile
  return {
    file: place.file,
    keysInFile: place.keysInFile,
    ...(parsedFile.redis && { redis: { url: redisUrl(parsedFile.redis, textOf) } }),
    listen: parsedFile.listen,
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

function redisUrl(redis: Login & { readonly url: URL }, textOf: FileText): string {
  const url = new URL(redis.url)
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
  const { clientCertFile, clientKeyFile } = from
  return {
    id,
    url: from.url,
    ...(from.username !== undefined && { username: from.username }),
    ...(password !== undefined && { password }),
    ...(credentials !== undefined && { credentials }),
    ...(from.caFile !== undefined && { ca: textOf(from.caFile) }),
    ...(clientCertFile !== undefined &&
      clientKeyFile !== undefined && {
        clientCertificate: { cert: textOf(clientCertFile), key: textOf(clientKeyFile) },
      }),
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
