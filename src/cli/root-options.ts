import type { Address, TokenConfig } from '../config/config.ts'
import type { FormatName } from '../events/formats.ts'
import type { SpoolsHere } from '../spool/spools-here.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** What the processes that run for long are told; each reads the configuration file itself. */
export interface RootOptions {
  readonly configFile: string
  /** Goes before the one in the configuration: the Redis that `pullsync up` started. */
  readonly redisUrl?: string
  /** Goes before the one in the configuration. */
  readonly adminListen?: Address
  /** Of a process that runs several roots; absent: the root opens its own. */
  readonly telemetry?: Telemetry
  /** Of a process that runs several roots: what the one fetches, the other reads there. */
  readonly spools?: SpoolsHere
  /** Aborted when the process is to stop. */
  readonly signal: AbortSignal
}

/** Runs until the signal is aborted and everything is handed back; rejects when it cannot run. */
export type Root = (options: RootOptions) => Promise<void>

/** What the sender of a source's events has to know to reach pullsync. */
export interface SnippetRequest {
  readonly sourceId: string
  readonly format: FormatName
  /** The source's secret, or a placeholder. */
  readonly secret: string
  /** Where the sender reaches pullsync's public listener: `http://pullsync.example:8080`. */
  readonly webhookUrl: string
  /** The registry whose events these are, as a URL. */
  readonly registryAddress: string
  /** It is the local registry, whose pulls are of interest. */
  readonly isLocal: boolean
  /** Of sources that prove themselves with a token. */
  readonly token?: TokenConfig | undefined
  /** Where a proxy before the registry listens, as nginx writes it; left to the snippet unless told. */
  readonly listen?: string
}

/** Configuration of a sender, ready to paste. */
export type Snippet = (request: SnippetRequest) => string

/** What a proxy before Harbor has to know. */
export interface HarborNginxRequest {
  /** Where it reaches pullsync's gateway. */
  readonly gatewayUrl: string
  /** The local projects that pullsync fills. */
  readonly projects: readonly string[]
}

/** How Harbor was installed: by its installer with Docker Compose, or by its Helm chart behind an Ingress. */
export type HarborInstall = 'compose' | 'ingress'

/**
 * What the command line starts or prints but must not import: the parts of pullsync stand side by
 * side. Loaded when a command needs it, so that the others start fast.
 */
export interface Roots {
  serve(): Promise<Root>
  worker(): Promise<Root>
  notificationsSnippet(): Promise<Snippet>
  nginxSnippet(): Promise<Snippet>
  harborNginx(): Promise<(install: HarborInstall, request: HarborNginxRequest) => string>
}
