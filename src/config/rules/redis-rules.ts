import type { ConfigPath } from '../reading/config-path.ts'
import { type Mapping, mappingOf, textAt } from './outline.ts'
import type { Finding } from './finding.ts'
import { parseFlag } from '../schema/scalars.ts'
import { certificateRules, hasPassword, loginRules, USERNAME_ALONE } from './registry-rules.ts'

/** What the Redis client can do with a login. */
export function redisRules(value: unknown): readonly Finding[] {
  const redis = mappingOf(value)
  const socket = textAt(redis, 'url')?.startsWith('unix://') === true
  return [
    ...loginRules(redis, ['redis']),
    ...(typeof value === 'object' && value !== null ? placeRules(redis) : []),
    ...(socket ? socketRules(redis) : nameRules(redis, ['redis'])),
    ...sentinelLoginRules(redis),
    ...redisTlsRules(redis),
  ]
}

/** By its own address, or through those who know it. */
function placeRules(redis: Mapping): readonly Finding[] {
  const [place, other] = ['url', 'sentinels', 'cluster'].filter((key) => redis[key] !== undefined)
  if (place === undefined) {
    return [{ path: ['redis', 'url'], message: 'set url, sentinels and name, or cluster' }]
  }
  if (other !== undefined) {
    return [{ path: ['redis', other], message: `use ${place} or ${other}, not both` }]
  }
  if ((place === 'sentinels') === (redis['name'] !== undefined)) return []
  const message =
    'sentinels and name go together: the name of the primary, as in "sentinel monitor <name>"'
  return [{ path: ['redis', 'name'], message }]
}

function sentinelLoginRules(redis: Mapping): readonly Finding[] {
  const path = ['redis', 'sentinelLogin']
  const login = redis['sentinelLogin']
  if (login === undefined) return []
  const message = 'sentinelLogin is only used with sentinels'
  if (redis['sentinels'] === undefined) return [{ path, message }]
  return [...loginRules(login, path), ...nameRules(mappingOf(login), path)]
}

function redisTlsRules(redis: Mapping): readonly Finding[] {
  const tls = parseFlag(redis['tls'] ?? false)
  if (!tls.ok) return []
  if (tls.value && redis['url'] !== undefined) {
    const message = 'tls goes with sentinels and cluster; a url begins with rediss:// for TLS'
    return [{ path: ['redis', 'tls'], message }]
  }
  return redisCertificateRules(redis, tls.value)
}

function redisCertificateRules(redis: Mapping, tls: boolean): readonly Finding[] {
  const key = ['caFile', 'clientCertFile', 'clientKeyFile'].find(
    (each) => redis[each] !== undefined,
  )
  const plain = !tls && textAt(redis, 'url')?.startsWith('rediss://') !== true
  if (key === undefined || !plain) return certificateRules(redis, ['redis'])
  return [
    {
      path: ['redis', key],
      message: 'certificates are only used with a rediss:// URL, or tls: true',
    },
  ]
}

function socketRules(redis: Mapping): readonly Finding[] {
  if (redis['username'] === undefined && !hasPassword(redis)) return []
  const message = 'a login is not supported with a unix:// socket: its file mode guards it'
  return [{ path: ['redis', 'url'], message }]
}

// Redis knows a password without a username, but not the other way round.
function nameRules(login: Mapping, path: ConfigPath): readonly Finding[] {
  if (login['username'] === undefined || hasPassword(login)) return []
  return [{ path: [...path, 'username'], message: USERNAME_ALONE }]
}
