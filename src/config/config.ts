import type { FormatName } from '../events/formats.ts'
import type { Project } from '../policy/project.ts'

/** The configuration after validation: defaults filled in, secrets read, units converted. */
export interface Config {
  /** The file it came from, absolute. */
  readonly file: string
  /** The keys that the file itself sets, as `projects[0].onMiss`; all others have their defaults. */
  readonly keysInFile?: readonly string[]
  /** Absent: `pullsync up` starts its own. */
  readonly redis?: RedisConfig
  readonly listen: Address
  /** Addresses and CIDR blocks of the proxies in front, whose word about their clients counts. */
  readonly trustedProxies: readonly string[]
  readonly admin: AdminConfig
  readonly local: LocalConfig
  readonly upstreams: ReadonlyMap<string, UpstreamConfig>
  readonly projects: readonly ProjectConfig[]
  readonly sources: ReadonlyMap<string, SourceConfig>
  readonly jobs: JobsConfig
  readonly misses: MissLimitsConfig
  readonly outages: OutagesConfig
  readonly spool: SpoolConfig
}

export interface RedisConfig {
  /**
   * It holds the password: never log it. With Sentinels or a cluster, it names the first of them, the login is the primary's, and
   * `rediss:` means that all of them speak TLS.
   */
  readonly url: string
  /** Who know which Redis is the primary now, and tell it under the name. */
  readonly sentinels?: SentinelsConfig
  /** Nodes of a Redis Cluster, any of which tells of the others. */
  readonly cluster?: readonly Address[]
  /** Deliveries are answered once Redis has their jobs on its disk. */
  readonly waitAof?: boolean
  /** PEM text of an own certificate authority. */
  readonly ca?: string
  readonly clientCertificate?: ClientCertificate
}

export interface SentinelsConfig {
  readonly addresses: readonly Address[]
  /** Of the primary, as in `sentinel monitor <name> …`. */
  readonly name: string
  /** Their own, which is not the primary's. */
  readonly username?: string
  readonly password?: string
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface AdminConfig {
  readonly listen: Address
  readonly username: string
  readonly password?: string
}

/** How to reach one registry. `id` is `local` or the upstream's id, the word used in errors. */
export interface RegistryConfig {
  readonly id: string
  readonly url: URL
  readonly username?: string
  readonly password?: string
  /** Where the credentials come from, if not from a fixed password. */
  readonly credentials?: CredentialsConfig
  /** PEM text of an own certificate authority. */
  readonly ca?: string
  /** What the registry is shown where it wants a certificate of its clients. */
  readonly clientCertificate?: ClientCertificate
  /** Other host names that this registry's token realm, redirects or upload locations may name although they are private addresses. */
  readonly trustedHosts: readonly string[]
}

export interface LocalConfig extends RegistryConfig {
  /** Where clients reach it themselves, to fetch blobs from there. */
  readonly redirectBlobsTo?: URL
}

/**
 * Credentials that change while the process runs, so they are read or fetched when they are needed.
 * Files are absolute. With `access-token`, a `username` makes the token that user's password.
 */
export type CredentialsConfig =
  | { readonly kind: 'docker-config'; readonly file: string }
  | { readonly kind: 'access-token'; readonly file: string }
  | { readonly kind: CloudRegistry }

/** Whose own way of giving out credentials: Amazon ECR, Google Artifact Registry, Azure ACR. */
export type CloudRegistry = 'ecr' | 'gar' | 'acr'

export interface ClientCertificate {
  /** PEM text: the certificate, and those between it and its authority. */
  readonly cert: string
  /** PEM text, not encrypted. */
  readonly key: string
}

export interface UpstreamConfig extends RegistryConfig {
  /** Transfers at once, over all workers. */
  readonly concurrency: number
  readonly maxBytesPerSecond?: number
  /** Pulls that are kept for those who wait, where the upstream limits and counts them; 0 keeps none. */
  readonly rateLimitFloor: number
}

export interface ProjectConfig extends Project {
  readonly onHit: 'serve' | 'check'
  readonly onMiss: 'stream' | 'hold' | 'async'
  readonly holdForMs: number
  /** What a client gets while nobody can say whether upstream has the image. */
  readonly onUnavailable: 404 | 429 | 503
  /** Whose word on content comes before it is given: the local registry's own, none, or as was seen. */
  readonly policy: 'learned' | 'local' | 'none'
  /** Whether a list of tags has upstream's, too. */
  readonly tagList: 'merge' | 'local'
  /** Cron expression. */
  readonly resync?: string
}

export interface SourceConfig {
  readonly id: string
  readonly format: FormatName
  /** Whose events these are: `local` or an upstream's id. */
  readonly registry: string
  /** One or two, for rotation; none of a source that proves itself with a token. */
  readonly secrets: readonly string[]
  readonly token?: TokenConfig
}

/** Which signed tokens prove a source. */
export interface TokenConfig {
  readonly audience: string
  /** The account that the token has to be of. */
  readonly email: string
  /** Where the issuer publishes its keys, a JSON Web Key Set (RFC 7517). */
  readonly keysUrl: URL
}

/** How hard a job is tried and how long its record is kept. */
export interface JobsConfig {
  readonly attempts: number
  /** Before the second attempt; doubles with each further one, with jitter. */
  readonly backoffMs: number
  readonly maxBackoffMs: number
  readonly keepCompleted: KeepConfig
  readonly keepFailed: KeepConfig
}

export interface KeepConfig {
  readonly ageMs: number
  readonly count: number
}

/** When a registry counts as down for everybody, and how often it is tried then. */
export interface OutagesConfig {
  /** Failures of the registry, without a success between them. */
  readonly failures: number
  /** Before the first probe; doubles with each further one. */
  readonly pauseMs: number
  readonly maxPauseMs: number
}

/** Where a worker keeps layers while clients follow them and attempts continue them. */
export interface SpoolConfig {
  /** Absolute; the system's folder for temporary files unless told. */
  readonly folder?: string
  /** In bytes, of all workers in that folder; as much as seems right unless told. */
  readonly maxBytes?: number
}

/** How many misses may turn out to be of what upstream does not have, before more are held back. */
export interface MissLimitsConfig {
  readonly perSource: BucketConfig
  readonly perRepository: BucketConfig
}

export interface BucketConfig {
  /** Tokens of a full bucket. */
  readonly burst: number
  /** Tokens that come back. */
  readonly perSecond: number
}
