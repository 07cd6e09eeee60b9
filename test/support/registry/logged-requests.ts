import { randomUUID } from 'node:crypto'
import type { AccessLogLine, RequestFilter } from './access-log.ts'
import type { TestRegistry } from './docker-registry.ts'
import { eventually } from '../eventually.ts'
import { isUp } from '../network/is-up.ts'

/**
 * What the registry was asked, once it has written all of it down: its log comes later than its answers.
 * Waits for as many as there must be; there may be more.
 */
export async function loggedRequests(
  registry: TestRegistry,
  filter: RequestFilter,
  atLeast = 1,
): Promise<readonly AccessLogLine[]> {
  if (atLeast > 0) await eventually(() => registry.requests(filter).length >= atLeast)
  const mark = randomUUID()
  await isUp(`${registry.url}/v2/`, { name: 'user-agent', value: mark })
  await eventually(() => registry.requests({ userAgent: new RegExp(mark) }).length > 0, {
    describe: 'the log of the registry',
  })
  return registry.requests(filter)
}
