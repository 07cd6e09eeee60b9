import type { Redis } from 'ioredis'

const KEY = 'pullsync:stories'
/** Over all images; some four megabytes. The oldest go first. */
const MOST_LINES = 10_000
const DAY_MS = 24 * 3_600_000
const WRITE_EVERY_MS = 250
/** What a process has to tell beyond that before it can write is not told: Redis has better to do then. */
const MOST_WAITING = 50
const PAGE = 1_000

/** One thing that happened to an image. */
export interface StoryLine {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly what: string
  /** Short texts, by name. */
  readonly facts: Readonly<Record<string, string>>
}

/** What happened to images lately, over all processes: events, decisions, pulls, turns of jobs; bounded, for a day. */
export class Stories implements AsyncDisposable {
  readonly #redis: Redis
  #waiting: (readonly [image: string, line: Omit<StoryLine, 'at'>])[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Whether what is noted now would be kept. */
  get hasRoom(): boolean {
    return this.#waiting.length < MOST_WAITING
  }

  /** Never throws, and nobody waits for it. */
  note(image: string, line: Omit<StoryLine, 'at'>): void {
    if (!this.hasRoom) return
    this.#waiting.push([image, line])
    this.#timer ??= setTimeout(() => {
      void this.#write()
    }, WRITE_EVERY_MS).unref()
  }

  /** The newest first. */
  async read(image: string, limit: number, now = Date.now()): Promise<readonly StoryLine[]> {
    const found: StoryLine[] = []
    const oldest = now - DAY_MS
    let until = '+'
    while (found.length < limit) {
      const page = await this.#redis.xrevrange(KEY, until, `${oldest}`, 'COUNT', PAGE)
      found.push(...page.flatMap(([id, fields]) => lineOf(id, fields, image)))
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) break
      until = `(${last[0]}`
    }
    return found.slice(0, limit)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#write()
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#waiting
    this.#waiting = []
    if (lines.length === 0) return
    const commands = this.#redis.pipeline()
    for (const [image, { what, facts }] of lines) {
      const entry = ['image', image, 'what', what, 'facts', JSON.stringify(facts)]
      commands.xadd(KEY, 'MAXLEN', MOST_LINES, '*', ...entry)
    }
    commands.pexpire(KEY, DAY_MS)
    // Without Redis nobody could read them either.
    await commands.exec().catch(() => undefined)
  }
}

function lineOf(id: string, fields: readonly string[], image: string): readonly StoryLine[] {
  const [, of, , what = '', , facts = '{}'] = fields
  if (of !== image) return []
  return [{ at: Number(id.split('-', 1)[0]), what, facts: textsOf(facts) }]
}

function textsOf(json: string): Readonly<Record<string, string>> {
  const facts: unknown = JSON.parse(json)
  if (typeof facts !== 'object' || facts === null) return {}
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, String(value)]))
}
