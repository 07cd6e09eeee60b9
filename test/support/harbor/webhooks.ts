import { randomUUID } from 'node:crypto'
import type { Artifact, Policy, Project } from './state.ts'

/** When Harbor tries again, in milliseconds after the one before; then it gives a delivery up. */
const AGAIN_AFTER_MS = [35_000, 82_000]

/** Waits; a test gives one that is quicker than the real one, or that it moves itself. */
export type Wait = (ms: number) => Promise<void>

export interface News {
  readonly type: 'PUSH_ARTIFACT' | 'PULL_ARTIFACT' | 'DELETE_ARTIFACT' | 'TAG_RETENTION'
  readonly project: Project
  readonly repository: string
  readonly artifact?: Artifact
  /** The tag, or the digest where that was what the client named. */
  readonly tag?: string
  readonly operator: string
}

/** One try of a delivery; no status where nobody answered. */
export interface Delivered {
  readonly address: string
  readonly type: string
  readonly tag: string | undefined
  readonly attempt: number
  readonly status: number | undefined
}

const CLOUD_TYPES = {
  PUSH_ARTIFACT: 'harbor.artifact.pushed',
  PULL_ARTIFACT: 'harbor.artifact.pulled',
  DELETE_ARTIFACT: 'harbor.artifact.deleted',
  TAG_RETENTION: 'harbor.tag_retention.finished',
}

/** What became of one delivery. */
export interface Execution {
  readonly id: number
  readonly vendor_type: 'WEBHOOK'
  /** The policy. */
  readonly vendor_id: number
  status: 'Running' | 'Success' | 'Error'
}

/** Harbor's job service, as far as webhooks go: three tries each, in no order. */
export class Webhooks {
  readonly delivered: Delivered[] = []
  /** One for each delivery, whatever its tries; as the API lists them. */
  readonly executions: Execution[] = []
  readonly #wait: Wait
  readonly #host: () => string
  #closed = false

  constructor(wait: Wait, host: () => string) {
    this.#wait = wait
    this.#host = host
  }

  tell(news: News): void {
    for (const policy of news.project.policies) {
      if (!policy.enabled || !policy.event_types.includes(news.type)) continue
      for (const target of policy.targets) void this.#deliver(news, policy, target)
    }
  }

  close(): void {
    this.#closed = true
  }

  async #deliver(news: News, policy: Policy, target: Policy['targets'][number]): Promise<void> {
    // Formatted once: a repeated delivery is the same byte for byte.
    const cloud = target.payload_format === 'CloudEvents'
    const body = JSON.stringify(cloud ? this.#cloudEvent(news, policy) : this.#default(news))
    const headers = headersOf(target)
    const execution = this.#begin(policy)
    for (let attempt = 1; ; attempt += 1) {
      const status = await post(target.address, headers, body)
      const { type, tag } = news
      this.delivered.push({ address: target.address, type, tag, attempt, status })
      const again = AGAIN_AFTER_MS[attempt - 1]
      const taken = status !== undefined && status < 300
      if (taken || again === undefined) execution.status = taken ? 'Success' : 'Error'
      if (taken || this.#closed || again === undefined) return
      await this.#wait(again)
    }
  }

  #begin(policy: Policy): Execution {
    const id = this.executions.length + 1
    const execution: Execution = {
      ...{ id, vendor_type: 'WEBHOOK', vendor_id: policy.id, status: 'Running' },
    }
    this.executions.push(execution)
    return execution
  }

  #default(news: News) {
    const seconds = Math.floor(Date.now() / 1_000)
    const { type, operator } = news
    return { type, occur_at: seconds, operator, event_data: this.#data(news) }
  }

  #cloudEvent(news: News, policy: Policy) {
    return {
      specversion: '1.0',
      id: randomUUID(),
      requestid: randomUUID(),
      source: `/projects/${news.project.id}/webhook/policies/${policy.id}`,
      type: CLOUD_TYPES[news.type],
      datacontenttype: 'application/json',
      time: new Date().toISOString(),
      data: this.#data(news),
      operator: news.operator,
    }
  }

  #data({ project, repository, artifact, tag }: News) {
    const separator = tag?.includes(':') === true ? '@' : ':'
    const resource = artifact && {
      digest: artifact.digest,
      tag,
      resource_url: `${this.#host()}/${repository}${separator}${tag ?? ''}`,
    }
    return {
      ...(resource && { resources: [resource] }),
      repository: {
        name: repository.slice(project.name.length + 1),
        namespace: project.name,
        repo_full_name: repository,
        repo_type: project.public ? 'public' : 'private',
      },
    }
  }
}

function headersOf({
  payload_format: format,
  auth_header: authorization,
}: Policy['targets'][number]) {
  const type = format === 'CloudEvents' ? 'application/cloudevents+json' : 'application/json'
  return { 'content-type': type, ...(authorization !== undefined && { authorization }) }
}

const TIMEOUT_MS = 3_000

async function post(
  address: string,
  headers: Record<string, string>,
  body: string,
): Promise<number | undefined> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const response = await fetch(address, { method: 'POST', headers, body, signal })
    await response.arrayBuffer()
    return response.status
  } catch {
    return undefined
  }
}
