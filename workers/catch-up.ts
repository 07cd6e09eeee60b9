import type { Config, ProjectConfig } from '../src/config/config.ts'
import type { PushEvent } from '../src/events/registry-event.ts'
import { decide } from '../src/policy/decide.ts'
import { listPushedSince, type PushedArtifact } from '../src/registry/harbor/pushed-artifacts.ts'
import type { ReplicationRequest } from '../src/replication/request.ts'
import { upstreamsThatGiveUp } from '../src/roots/missed-pushes.ts'
import type { OpenRegistries } from '../src/roots/open-registries.ts'
import type { Reporter } from '../src/telemetry/reports/report.ts'
import type { Resync } from './resync.ts'

/** For clocks that differ, and for what was told shortly before and not taken. */
const MARGIN_MS = 5 * 60_000

export interface CatchUpParts {
  readonly config: () => Config
  readonly registries: OpenRegistries
  readonly resync: Pick<Resync, 'walkWhole' | 'enqueue'>
  readonly reporter: Pick<Reporter, 'caughtUp'>
}

/**
 * One look at what upstream pushed while nobody was there to be told. Harbor lists that; of other
 * upstreams all that is here is looked at, as by `resync`.
 */
export class CatchUp {
  readonly #parts: CatchUpParts

  constructor(parts: CatchUpParts) {
    this.#parts = parts
  }

  /** @throws RegistryError when upstream, or the local registry, cannot be asked now */
  async run(
    { project: name, since }: { readonly project: string; readonly since: number },
    jobId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { config, resync, reporter } = this.#parts
    const project = config().projects.find((each) => each.name === name)
    if (project === undefined) return
    const from = since - MARGIN_MS
    const requests = await this.#pushedSince(project, { from, jobId }, signal)
    if (requests === undefined) {
      await resync.walkWhole(name, jobId, signal)
      return
    }
    await resync.enqueue(requests, signal)
    const facts = { project: name, since: new Date(from).toISOString(), queued: requests.length }
    reporter.caughtUp({ ...facts, walkId: jobId })
  }

  /** Undefined where one of the upstreams does not tell. */
  async #pushedSince(
    project: ProjectConfig,
    { from, jobId }: { readonly from: number; readonly jobId: string },
    signal: AbortSignal,
  ): Promise<readonly ReplicationRequest[] | undefined> {
    const { config, registries } = this.#parts
    const { projects, sources } = config()
    const found: ReplicationRequest[] = []
    for (const upstream of upstreamsThatGiveUp(project, sources)) {
      if (project.name === '*') return undefined
      const there = project.upstreamProject ?? project.name
      const ask = registries.of(upstream).askHarbor
      const pushed = await listPushedSince(ask, { project: there, since: from }, signal)
      if (pushed === undefined) return undefined
      const decisions = pushed
        .flatMap((artifact) => eventsOf(artifact, jobId))
        .map((event) => decide(event, { registry: upstream }, projects))
      found.push(
        ...decisions.flatMap((each) => (each.kind === 'replicate' ? [asLook(each.request)] : [])),
      )
    }
    return found
  }
}

function eventsOf({ repository, digest, tags }: PushedArtifact, id: string): readonly PushEvent[] {
  return tags.map((tag) => ({ action: 'push', id, repository, tag, digest }))
}

/** It comes after all other work, and keeps to the upstream's limits. */
function asLook({ announcedDigest: _then, ...request }: ReplicationRequest): ReplicationRequest {
  return { ...request, trigger: 'resync' }
}
