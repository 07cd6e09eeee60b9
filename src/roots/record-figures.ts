import type { FigureName, Figures } from '../pool/figures.ts'
import type { Stories } from '../pool/stories/stories.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { imageStory } from '../telemetry/story-line.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

const EVERY_MS = 10_000

/** Keeps what happened to images with them. */
export function recordStories(
  stories: Stories,
  { watchImages }: Pick<Telemetry, 'watchImages'>,
): Stories {
  watchImages((message, facts) => {
    if (!stories.hasRoom) return
    const story = imageStory(message, facts)
    if (story !== undefined) stories.note(story.image, { what: story.what, facts: story.facts })
  })
  return stories
}

/**
 * Adds what this process counted since the last time to the figures of all, every ten seconds and once
 * more at the end. While Redis is away the amounts wait for the next time.
 */
export class FigureRecording implements AsyncDisposable {
  readonly #figures: Figures
  readonly #metrics: Pick<Metrics, 'figures'>
  readonly #timer: NodeJS.Timeout
  #before: ReadonlyMap<FigureName, number> = new Map()

  constructor(figures: Figures, metrics: Pick<Metrics, 'figures'>) {
    this.#figures = figures
    this.#metrics = metrics
    this.#timer = setInterval(() => {
      void this.#record()
    }, EVERY_MS).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#record()
  }

  async #record(): Promise<void> {
    const totals = await this.#metrics.figures()
    const before = this.#before
    const more = [...totals].map(
      ([name, total]) => [name, total - (before.get(name) ?? 0)] as const,
    )
    try {
      await this.#figures.add(new Map(more))
      this.#before = totals
    } catch {
      // What is not written now is in the next difference.
    }
  }
}
