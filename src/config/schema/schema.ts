import { z } from 'zod'
import { ADMIN_LISTEN, LISTEN, MAX_BACKOFF_MS, MAX_PAUSE_MS } from './defaults.ts'
import { FORMATS, type FormatName } from '../../events/formats.ts'
import { parsed, type Parsed, unparsable } from '../../oci/parsed.ts'
import { parseRepository } from '../../oci/reference.ts'
import { parseCron } from './cron.ts'
import {
  parseAddress,
  parseHost,
  parseNetwork,
  parsePlatform,
  parseSize,
  parseSpoolSize,
} from './scalars.ts'
import {
  anyText,
  duration,
  flag,
  oneOf,
  oneOrMore,
  section,
  someOf,
  text,
  whole,
} from './schema-parts.ts'
import { parseKeysUrl, parseRedisUrl, parseRegistryUrl } from './urls.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR

const registry = {
  url: text(parseRegistryUrl),
  username: anyText().optional(),
  password: anyText().optional(),
  passwordFile: anyText().optional(),
  dockerConfig: anyText().optional(),
  accessTokenFile: anyText().optional(),
  auth: oneOf(['ecr', 'gar', 'acr']).optional(),
  caFile: anyText().optional(),
  clientCertFile: anyText().optional(),
  clientKeyFile: anyText().optional(),
  insecure: flag().default(false),
  trustedHosts: z.array(text(parseHost)).default([]),
}

const upstream = section({
  ...registry,
  concurrency: whole({ min: 1, max: 256 }).default(8),
  maxBytesPerSecond: text(parseSize).optional(),
  rateLimitFloor: whole({ min: 0, max: 1_000_000 }).default(20),
})

const project = section({
  name: text(parseProjectName),
  upstream: oneOrMore(anyText()),
  autoSync: flag().default(true),
  upstreamProject: text(parseComponent).optional(),
  repositories: nameFilter('**'),
  tags: nameFilter('*'),
  platforms: platforms().default('all'),
  referrers: flag().default(true),
  revalidateAfter: duration({ min: 0, max: 365 * DAY }).default(600 * SECOND),
  onHit: oneOf(['serve', 'check']).default('serve'),
  onMiss: oneOf(['stream', 'hold', 'async']).default('stream'),
  holdFor: duration({ min: 0, max: HOUR }).default(20 * SECOND),
  onUnavailable: oneOf(['404', '429', '503']).default('404'),
  tagList: oneOf(['merge', 'local']).default('merge'),
  policy: oneOf(['learned', 'local', 'none']).default('learned'),
  onUpstreamPush: oneOf(['refresh', 'always', 'ignore']).default('refresh'),
  onUpstreamDelete: oneOf(['keep', 'delete']).default('keep'),
  resync: text(parseCron).optional(),
})

const source = section({
  format: oneOf(Object.keys(FORMATS).filter(isFormatName)),
  registry: anyText(),
  secret: oneOrMore(anyText(), 2).optional(),
  secretFile: oneOrMore(anyText(), 2).optional(),
  audience: anyText().optional(),
  email: anyText().optional(),
  keysUrl: text(parseKeysUrl).optional(),
})

const admin = section({
  listen: text(parseAddress).default(ADMIN_LISTEN),
  username: anyText().default('admin'),
  password: anyText().optional(),
  passwordFile: anyText().optional(),
})

const login = {
  username: anyText().optional(),
  password: anyText().optional(),
  passwordFile: anyText().optional(),
}

const redis = section({
  url: text(parseRedisUrl).optional(),
  sentinels: z.array(text(parseAddress)).min(1).optional(),
  name: anyText().optional(),
  cluster: z.array(text(parseAddress)).min(1).optional(),
  sentinelLogin: section(login).optional(),
  tls: flag().default(false),
  waitAof: flag().default(false),
  ...login,
  caFile: anyText().optional(),
  clientCertFile: anyText().optional(),
  clientKeyFile: anyText().optional(),
})

const jobs = section({
  attempts: whole({ min: 1, max: 50 }).default(5),
  backoff: duration({ min: 1, max: DAY }).default(5 * SECOND),
  maxBackoff: duration({ min: 1, max: DAY }).default(MAX_BACKOFF_MS),
  keepCompleted: kept({ age: DAY, count: 1_000 }),
  keepFailed: kept({ age: 7 * DAY, count: 5_000 }),
})

const outages = section({
  failures: whole({ min: 1, max: 1_000 }).default(3),
  pause: duration({ min: 10, max: DAY }).default(5 * SECOND),
  maxPause: duration({ min: 10, max: DAY }).default(MAX_PAUSE_MS),
})

const spool = section({
  folder: anyText().optional(),
  size: text(parseSpoolSize).optional(),
})

const misses = section({
  perSource: bucket({ burst: 600, perSecond: 10 }),
  perRepository: bucket({ burst: 60, perSecond: 1 }),
})

/** The file's shape: keys, types and defaults. What depends on two keys is in `rules.ts`. */
export const configSchema = section({
  redis: redis.optional(),
  listen: text(parseAddress).default(LISTEN),
  trustedProxies: z.array(text(parseNetwork)).default([]),
  admin: admin.prefault({}),
  local: section({ ...registry, redirectBlobsTo: text(parseRegistryUrl).optional() }),
  upstreams: z.record(z.string(), upstream),
  projects: someOf(project),
  sources: z.record(z.string(), source).default({}),
  jobs: jobs.prefault({}),
  misses: misses.prefault({}),
  outages: outages.prefault({}),
  spool: spool.prefault({}),
})

/** The file after the schema: values in our own types, secrets not yet read. */
export type ConfigFile = z.output<typeof configSchema>
export type LocalSection = ConfigFile['local']
export type RegistrySection = Omit<LocalSection, 'redirectBlobsTo'>
export type UpstreamSection = ConfigFile['upstreams'][string]
export type ProjectSection = ConfigFile['projects'][number]
export type SourceSection = ConfigFile['sources'][string]

function nameFilter(include: string) {
  return section({
    include: someOf(anyText()).default([include]),
    exclude: z.array(anyText()).default([]),
  }).prefault({})
}

function kept(defaults: { readonly age: number; readonly count: number }) {
  return section({
    age: duration({ min: SECOND, max: 3_650 * DAY }).default(defaults.age),
    count: whole({ min: 0, max: 1_000_000 }).default(defaults.count),
  }).prefault({})
}

function bucket(defaults: { readonly burst: number; readonly perSecond: number }) {
  return section({
    burst: whole({ min: 1, max: 1_000_000 }).default(defaults.burst),
    perSecond: whole({ min: 1, max: 1_000 }).default(defaults.perSecond),
  }).prefault({})
}

function platforms() {
  const list = someOf(text(parsePlatform))
  return z.unknown().transform((value, context): 'all' | string[] => {
    if (value === 'all') return 'all'
    const result = list.safeParse(value)
    if (result.success) return result.data
    const message = 'expected all, or a list of platforms such as [linux/amd64, linux/arm64]'
    for (const { path, ...issue } of Array.isArray(value) ? result.error.issues : []) {
      context.issues.push({ code: 'custom', message: issue.message, path, input: value })
    }
    if (!Array.isArray(value)) context.issues.push({ code: 'custom', message, input: value })
    return z.NEVER
  })
}

export function parseProjectName(name: string): Parsed<string> {
  return name === '*' ? parsed(name) : parseComponent(name, ', or "*" for all other projects')
}

function parseComponent(name: string, orElse = ''): Parsed<string> {
  if (!name.includes('/') && parseRepository(name).ok) return parsed(name)
  return unparsable(`expected the first path component of a repository, such as team${orElse}`)
}

function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(FORMATS, name)
}
