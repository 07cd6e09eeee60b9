import type { Config, ProjectConfig } from '../config/config.ts'
import { formatImageName, type ImageName, projectOf } from '../oci/reference.ts'
import { decide } from '../policy/decide.ts'
import type { IgnoreReason } from '../policy/decision.ts'
import { filterRefusal } from '../policy/filter-refusal.ts'
import { projectOfLocal } from '../policy/matching.ts'
import type { LimitReason } from '../pool/miss-limits.ts'
import { LocalPolicies } from '../pool/gateways/local-policies.ts'
import { Stories, type StoryLine } from '../pool/stories/stories.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { type JobRecord, JOB_STATES, listJobs } from '../queue/records/job-records.ts'
import { readStatus, type UpstreamStatus } from '../queue/records/upstream-status.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { clientWords } from './client-words.ts'
import { IGNORE_WORDS } from './ignore-words.ts'
import type { Verdict } from './verdict.ts'

/** What the configuration alone says of a pull of an image that is not here. */
export interface PolicyExplanation {
  /** Under its local name. */
  readonly image: string
  /** The name of its project in the configuration; `*` for the rest. */
  readonly project?: string
  /** Its name on the upstreams. */
  readonly upstreamImage?: string
  /** Their ids, in the order in which they are tried. */
  readonly from: readonly string[]
  readonly verdict: Verdict
}

/** What would become of a pull of an image that is not here, and why. */
export interface Explanation extends PolicyExplanation {
  /** In the order in which they are tried. */
  readonly upstreams: readonly UpstreamStatus[]
  /** Nobody asks upstream for it now: too many misses before it were of what that does not have. */
  readonly limited?: LimitReason
  /** The jobs of it that are still known, the newest first. */
  readonly jobs: readonly JobRecord[]
  /** Events, decisions, pulls and turns of jobs of the last day, the newest first. */
  readonly story: readonly StoryLine[]
  /** What a client of the gateway gets now that pulls it. */
  readonly client: string
}

const MOST_JOBS = 5
const MOST_LINES = 50
/** As the source of the misses that clients of the gateway make. */
const GATEWAY = 'gateway'

type Configured = Pick<Config, 'projects' | 'local'>

/** Asks nobody. */
export function explainPolicy(image: ImageName, config: Configured): PolicyExplanation {
  return judged(image, config).policy
}

/** @throws when Redis does not answer */
export async function explain(
  image: ImageName,
  config: Configured,
  queues: ReplicationQueues,
): Promise<Explanation> {
  const { policy, project, request } = judged(image, config)
  const [statuses, jobs, story, isForLocalToSay, limited] = await Promise.all([
    readStatus(queues),
    jobsOf(policy.image, queues),
    new Stories(queues.redis).read(policy.image, MOST_LINES),
    isLocalAsked(image, project, queues),
    request && limitOf(request, queues),
  ])
  const upstreams = policy.from.flatMap((id) => statuses.filter(({ upstream }) => upstream === id))
  const { verdict } = policy
  return {
    ...policy,
    upstreams,
    ...(limited !== undefined && { limited }),
    jobs,
    story,
    client: clientWords({ project, verdict, upstream: upstreams[0], limited, isForLocalToSay }),
  }
}

function judged(image: ImageName, { projects, local }: Configured) {
  const project = projectOfLocal(image.repository, projects)
  const decision = decide(
    { action: 'miss', id: 'why', ...image },
    { registry: 'local', account: local.username, source: GATEWAY },
    projects,
  )
  const request = decision.kind === 'replicate' ? decision.request : undefined
  const policy: PolicyExplanation = {
    image: formatImageName(image.repository, image.reference),
    ...(project && { project: project.name }),
    ...(request && { upstreamImage: formatImageName(request.upstreamRepository, image.reference) }),
    from: project?.upstreams ?? [],
    verdict: decision.kind === 'replicate' ? BROUGHT : refused(decision.reason, image, project),
  }
  return { policy, project, request }
}

const BROUGHT: Verdict = { brought: true }

function refused(reason: IgnoreReason, image: ImageName, project?: ProjectConfig): Verdict {
  const words = IGNORE_WORDS[reason]
  const isFiltered = reason === 'repository-filtered' || reason === 'tag-filtered'
  const filter = project && isFiltered ? filterRefusal(project, image) : undefined
  return { brought: false, reason, words, ...(filter && { filter }) }
}

async function jobsOf(name: string, queues: ReplicationQueues): Promise<readonly JobRecord[]> {
  const matches = ({ request }: JobRecord) =>
    request !== undefined && formatImageName(request.repository, request.reference) === name
  return await listJobs(queues, { states: JOB_STATES, matches, limit: MOST_JOBS })
}

/** As the gateway has it: see `Rights`. */
async function isLocalAsked(
  { repository }: ImageName,
  project: ProjectConfig | undefined,
  { redis }: ReplicationQueues,
): Promise<boolean> {
  if (project?.policy !== 'learned') return project?.policy === 'local'
  return await new LocalPolicies(redis, () => undefined).seen(projectOf(repository))
}

async function limitOf(
  request: ReplicationRequest,
  { limits }: ReplicationQueues,
): Promise<LimitReason | undefined> {
  const [reason] = await limits.check([request])
  return reason
}
