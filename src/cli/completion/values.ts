import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import type { JobState } from '../../queue/records/job-records.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Word } from './candidates.ts'

/** More than that nobody looks through. */
const MOST_JOBS = 50

/**
 * The values that an argument of this name can have, of the configuration and the queue; none where they
 * cannot be read.
 *
 * @param command as it is typed: `jobs retry`
 */
export async function valuesOf(
  name: string,
  command: string,
  { config: file, dataDir }: Pick<GlobalOptions, 'config' | 'dataDir'>,
  env: NodeJS.ProcessEnv,
): Promise<readonly Word[]> {
  try {
    const config = await loadConfig(file, env)
    if (name === 'id' || name === 'ids') return await jobs(config, dataDir, STATES[command])
    return named(name, config)
  } catch {
    return []
  }
}

const STATES: Readonly<Record<string, readonly JobState[]>> = {
  'jobs retry': ['failed', 'delayed'],
  'jobs remove': ['failed', 'delayed', 'waiting', 'completed'],
}
const ALL: readonly JobState[] = ['active', 'failed', 'delayed', 'waiting', 'completed']

function named(name: string, { upstreams, projects, sources }: Config): readonly Word[] {
  switch (name) {
    case 'upstream':
    case 'upstreams':
      return [...upstreams.values()].map(({ id, url }) => ({ text: id, about: url.host }))
    case 'image':
      return projects
        .filter((project) => project.name !== '*')
        .map((project) => ({ text: `${project.name}/`, about: project.upstreams.join(', ') }))
    case 'project':
      return projects.map((project) => ({
        text: project.name,
        about: project.upstreams.join(', '),
      }))
    case 'source':
      return [...sources.values()].map(({ id, format }) => ({ text: id, about: format }))
    default:
      return []
  }
}

async function jobs(
  config: Config,
  dataDir: string,
  states: readonly JobState[] = ALL,
): Promise<readonly Word[]> {
  const { openQueues } = await import('../redis/open-queues.ts')
  const { listJobs } = await import('../../queue/records/job-records.ts')
  const { imageOf } = await import('../jobs/job-text.ts')
  const queues = await openQueues(config, dataDir)
  try {
    const found = await listJobs(queues, { states, matches: () => true, limit: MOST_JOBS })
    return found.map((job) => ({ text: job.id, about: `${job.state} ${imageOf(job)}` }))
  } finally {
    await queues[Symbol.asyncDispose]()
  }
}
