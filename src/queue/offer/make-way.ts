import type { Redis } from 'ioredis'
import type { ReplicationRequest } from '../../replication/request.ts'
import { deduplicationKey, REMEMBERED_MS } from '../endings.ts'
import type { Enqueued } from '../enqueued.ts'
import { LOOKS_FROM, PRIORITY } from '../priority.ts'
import type { ReplicationQueue } from '../replication-queue.ts'
import { deduplicationId } from '../stored-request.ts'

// Which known job makes a request a duplicate is BullMQ's to say, by the deduplication key. Here the
// keys are dropped of those that do not do what is asked for:
// - one that has ended, unless the request is a miss or a revalidation, which its ending still answers;
// - one that only refreshes what is held, when the request is to bring what is not;
// - one that waits further back in the queue than this request may be made to wait;
// - one that only looks upstream and was put off, when something else is asked for;
// - a miss that waits, when there is news of upstream: it looks there only if nothing is here by then.
// An ending that would be remembered for longer than any is, is from before Redis' clock was set back.
// The job itself stays. When its turn comes it finds its work done, which costs one HEAD.
const MAKE_WAY = `
local prefix, looksFrom = ARGV[1], tonumber(ARGV[2])
local longest = ${Math.max(...Object.values(REMEMBERED_MS))}
for i, key in ipairs(KEYS) do
  local endings, brings, priority = ARGV[i * 3], ARGV[i * 3 + 1], tonumber(ARGV[i * 3 + 2])
  local id = redis.call('GET', key)
  if id then
    local left = redis.call('PTTL', key)
    if left > longest then redis.call('PEXPIRE', key, longest) end
    local drop = endings == 'forget' and left > 0
    if not drop and brings == 'brings' then
      local data = redis.call('HGET', prefix .. id, 'data')
      drop = data and (string.find(data, '"h":1', 1, true) or string.find(data, '"onlyIfPresent":true', 1, true))
    end
    if not drop and redis.call('ZSCORE', prefix .. 'prioritized', id) then
      drop = tonumber(redis.call('HGET', prefix .. id, 'priority') or 0) > priority
    end
    if not drop and redis.call('ZSCORE', prefix .. 'delayed', id) then
      local held = tonumber(redis.call('HGET', prefix .. id, 'priority') or 0)
      drop = held >= looksFrom and priority < looksFrom
    end
    if not drop and endings == 'forget' and redis.call('HGET', prefix .. id, 'name') == 'miss' then
      drop = redis.call('ZSCORE', prefix .. 'prioritized', id) or redis.call('ZSCORE', prefix .. 'delayed', id)
    end
    if drop then redis.call('DEL', key) end
  end
end`

/** To be sent before the requests are added, on the same connection. */
export async function makeWay(
  redis: Redis,
  queue: ReplicationQueue,
  requests: readonly ReplicationRequest[],
): Promise<void> {
  const keys = requests.map((request) => deduplicationKey(queue, deduplicationId(request)))
  const wanted = requests.flatMap(({ trigger, onlyIfPresent, ...request }) => [
    isAnsweredByEnding({ trigger, ...request }) ? 'keep' : 'forget',
    onlyIfPresent ? 'refreshes' : 'brings',
    PRIORITY[trigger],
  ])
  await redis.eval(MAKE_WAY, keys.length, ...keys, queue.toKey(''), LOOKS_FROM, ...wanted)
}

// Whether each job has ended, or is a miss that may end without a look upstream, with nothing kept for afterwards.
const MAY_NOT_LOOK = `
local met = {}
for i, key in ipairs(KEYS) do
  local job = redis.call('HMGET', ARGV[1] .. ARGV[i + 1], 'name', 'finishedOn')
  local missed = not job[1] or job[2] or (job[1] == 'miss' and redis.call('EXISTS', key) == 0)
  met[i] = missed and 1 or 0
end
return met`

/**
 * Which of the offers met a job that was about to end, or may end without a look upstream: between making
 * way and adding, others come in between. Nobody would do what these ask for.
 */
export async function overlooked(
  redis: Redis,
  queue: ReplicationQueue,
  offers: readonly (Enqueued & { readonly request: ReplicationRequest })[],
): Promise<ReadonlySet<ReplicationRequest>> {
  const met = offers.filter(({ duplicate, request }) => duplicate && !isAnsweredByEnding(request))
  if (met.length === 0) return new Set()
  const keys = met.map(({ request }) => queue.toKey(`dn:${deduplicationId(request)}`))
  const ids = met.map(({ jobId }) => jobId)
  const told = await redis.eval(MAY_NOT_LOOK, keys.length, ...keys, queue.toKey(''), ...ids)
  const mayNotLook = told as readonly number[]
  return new Set(met.flatMap(({ request }, i) => (mayNotLook[i] === 1 ? [request] : [])))
}

/** What runs, or has just ended, does what it asks for. All else may be news. */
function isAnsweredByEnding({
  trigger,
  replaces,
}: Pick<ReplicationRequest, 'trigger' | 'replaces'>): boolean {
  return (trigger === 'miss' && replaces === undefined) || trigger === 'revalidate'
}
