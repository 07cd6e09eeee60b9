import type { ReplicationQueues } from '../../queue/queues.ts'
import { CommandError } from '../command-error.ts'

/** @throws CommandError that names those which there are */
export function requireUpstream(queues: ReplicationQueues, upstream: string | undefined): void {
  const known = queues.upstreams
  if (upstream === undefined || known.includes(upstream)) return
  throw new CommandError(
    `there is no upstream ${JSON.stringify(upstream)} in the configuration; there is ${known.join(', ')}`,
  )
}
