import { eventually } from '../../test/support/eventually.ts'
import type { Stage } from './stage.ts'

/** What the demo looks at of what `pullsync jobs list --json` prints. */
export interface Job {
  readonly id: string
  readonly state: string
  readonly trigger: string
  readonly attemptsMade: number
  readonly bytes: number
  readonly totalBytes: number
  readonly outcome: string
  readonly failedReason: string
}

/** Runs a command of pullsync's own; its failure is an error here. */
export async function pullsync(stage: Stage, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await stage.pullsync.run([...args, ...stage.cliOptions.slice(2)])
  if (code === 0) return stdout
  throw new Error(`pullsync ${args.join(' ')} ended with code ${code}: ${stderr}`)
}

/** Resolves with the first job of this image that is as wanted. */
export async function jobLike(
  stage: Stage,
  image: string,
  wanted: (job: Job) => boolean,
  describe: string,
): Promise<Job> {
  return await eventually(async () => (await jobsOf(stage, image)).find(wanted), {
    within: 30_000,
    describe,
  })
}

/** Asks for the job of this image again and again until it has ended. */
export async function followJob(
  stage: Stage,
  image: string,
  trigger: string,
  onSeen: (job: Job) => void,
): Promise<Job> {
  return await jobLike(
    stage,
    image,
    (job) => {
      if (job.trigger !== trigger) return false
      onSeen(job)
      return job.state === 'completed' || job.state === 'failed'
    },
    `the end of the job for ${image}`,
  )
}

async function jobsOf(stage: Stage, image: string): Promise<readonly Job[]> {
  const list: unknown = JSON.parse(
    await pullsync(stage, ['jobs', 'list', '--json', '--match', image]),
  )
  return Array.isArray(list) ? list.map(parseJob) : []
}

function parseJob(job: unknown): Job {
  return {
    id: textAt(job, 'id'),
    state: textAt(job, 'state'),
    trigger: textAt(at(job, 'request'), 'trigger'),
    attemptsMade: Number(at(job, 'attemptsMade')),
    bytes: Number(at(at(job, 'progress'), 'bytes') ?? 0),
    totalBytes: Number(at(at(job, 'progress'), 'totalBytes') ?? 0),
    outcome: textAt(at(job, 'outcome'), 'kind'),
    failedReason: textAt(job, 'failedReason'),
  }
}

function at(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return new Map<string, unknown>(Object.entries(value)).get(key)
}

function textAt(value: unknown, key: string): string {
  const text = at(value, key)
  return typeof text === 'string' ? text : ''
}
