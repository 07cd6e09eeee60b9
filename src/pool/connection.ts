import { once } from 'node:events'
import type { Redis } from 'ioredis'
import type { RedisConfig, SentinelsConfig } from '../config/config.ts'
import { ClusterRedis } from './cluster/cluster-redis.ts'
import { primaryConnector } from './cluster/primary-connector.ts'
import { EndingRedis, type EndingRedisOptions as Options } from './ending-redis.ts'

/** A URL alone for a Redis of this process, or one that needs no certificates. */
export type RedisAddress = string | RedisConfig

/** A connection to Redis, for parts that only hand it on. */
export type Connection = Redis

/** Reports what a connection says while nobody waits for it; it reconnects by itself. */
export type ConnectionErrorListener = (error: Error) => void

/**
 * For asking and queueing: fails fast, so that a webhook answers 503 while Redis is away and the
 * registry keeps the event. No command waits longer than `COMMAND_TIMEOUT_MS`.
 */
export function openProducerConnection(
  address: RedisAddress,
  onError: ConnectionErrorListener,
): Redis {
  return open(address, onError, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
  })
}

/** For workers: their commands wait until Redis is back, as BullMQ asks for. */
export function openWorkerConnection(
  address: RedisAddress,
  onError: ConnectionErrorListener,
): Redis {
  return open(address, onError, { maxRetriesPerRequest: null })
}

/** @throws Error when the connection is not there within `FIRST_CONNECTION_MS`, with the reason */
export async function whenReady(redis: Redis, signal?: AbortSignal): Promise<void> {
  if (redis.status === 'ready') return
  const ends = [AbortSignal.timeout(FIRST_CONNECTION_MS), ...(signal ? [signal] : [])]
  let last = new Error(`no answer within ${FIRST_CONNECTION_MS} ms`)
  const remember = (error: Error) => {
    last = error
  }
  redis.on('error', remember)
  try {
    await once(redis, 'ready', { signal: AbortSignal.any(ends) })
  } catch {
    throw last
  } finally {
    redis.off('error', remember)
  }
}

/**
 * This process's address as others that use the same Redis can reach it: the one by which it reaches Redis itself, once
 * it does. Loopback where Redis is reached through a file; undefined when the signal is aborted first.
 */
export async function ownAddress(redis: Redis, signal: AbortSignal): Promise<string | undefined> {
  while (redis.status !== 'ready' && !signal.aborted) {
    await whenReady(redis, signal).catch(() => undefined)
  }
  if (signal.aborted) return undefined
  const { stream } = redis as { readonly stream?: { readonly localAddress?: string } }
  return stream?.localAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1'
}

const FIRST_CONNECTION_MS = 2_000

// distribution gives a delivery one second by default: an answer after that is no answer, but the job
// is there when the delivery is repeated. A machine under load is not a Redis that is away.
const COMMAND_TIMEOUT_MS = 2_000

// A machine that dies closes no connection, and Linux takes a quarter of an hour to see that. Nothing that is asked
// takes so long: BullMQ waits for a job for ten seconds at most.
const SILENT_MS = 15_000

// After a fail-over the address leads to another Redis, and connections that are open stay with what is a replica now,
// or with a node of a cluster that has the keys no more, or is cut off from it.
const RECONNECT_AND_ASK_AGAIN = 2

/** Scripts of Redis 6 wrap READONLY into an error of their own. */
function isElsewhere({ message }: Error): boolean {
  return /READONLY|^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(message)
}

function open(address: RedisAddress, onError: ConnectionErrorListener, options: Options): Redis {
  const config: RedisConfig = typeof address === 'string' ? { url: address } : address
  const common: Options = {
    ...options,
    connectTimeout: 5_000,
    socketTimeout: SILENT_MS,
    retryStrategy: pauseBefore,
    reconnectOnError: (error) => (isElsewhere(error) ? RECONNECT_AND_ASK_AGAIN : false),
  }
  const redis = connectionOf(config, { ...common, ...tlsOf(config) })
  redis.on('error', (error) => {
    if (!redis.isEnding) onError(error)
  })
  return redis
}

/** Of that attempt to connect, in milliseconds. */
function pauseBefore(attempt: number): number {
  return Math.min(attempt * 100, 2_000)
}

function connectionOf({ url, sentinels, cluster }: RedisConfig, options: Options): EndingRedis {
  if (sentinels !== undefined) {
    return new EndingRedis({ ...options, ...loginIn(url), ...throughSentinels(sentinels, options) })
  }
  if (cluster !== undefined) {
    const { tls, connectTimeout } = options
    const login = { ...loginIn(url), tls, connectTimeout }
    const Connector = primaryConnector({ nodes: cluster, login, pauseBefore })
    return new ClusterRedis({ ...options, ...loginIn(url), Connector })
  }
  if (!url.startsWith('unix://')) return new EndingRedis(withoutTls(url), options)
  return new EndingRedis({ ...options, path: decodeURIComponent(new URL(url).pathname) })
}

function throughSentinels(
  { addresses, name, username, password }: SentinelsConfig,
  { tls }: Options,
): Options {
  return {
    sentinels: addresses.map(({ host, port }) => ({ host, port })),
    name,
    sentinelRetryStrategy: pauseBefore,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    // Its own options for TLS are with the primary only if it is told so.
    ...(tls !== undefined && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  }
}

/** ioredis reads a URL only where it is the address. */
function loginIn(url: string): Options {
  const { username, password } = new URL(url)
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  }
}

// What ioredis makes of rediss:// goes before what it is told of TLS.
function withoutTls(url: string): string {
  return url.replace(/^rediss:/, 'redis:')
}

function tlsOf({ url, ca, clientCertificate }: RedisConfig): Options {
  if (!url.startsWith('rediss:')) return {}
  return { tls: { ...(ca !== undefined && { ca }), ...clientCertificate } }
}
