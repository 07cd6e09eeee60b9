import type { Progress } from '../../replication/progress.ts'
import type { ReplicationJob } from '../replication-queue.ts'

/** People watch; four times a second is fast enough for them and no load for Redis. */
const INTERVAL_MS = 250

/** Writes a job's progress and log to Redis without making the copy wait or fail for it. */
export class ProgressRecorder {
  readonly #job: ReplicationJob
  #latest: Progress | undefined
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<unknown> = Promise.resolve()

  constructor(job: ReplicationJob) {
    this.#job = job
  }

  record(progress: Progress): void {
    this.#latest = progress
    // Not at once: what is done sooner than somebody can see it is written once.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#write()
    }, INTERVAL_MS)
  }

  log(line: string): void {
    this.#then(() => this.#job.log(line))
  }

  /** Resolves when the last state is written; never rejects. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer)
    this.#write()
    await this.#writing
  }

  /** The job is another worker's: nothing more is written of this one's. */
  drop(): void {
    clearTimeout(this.#timer)
    this.#latest = undefined
  }

  #write(): void {
    const progress = this.#latest
    if (progress === undefined) return
    this.#latest = undefined
    this.#then(() => this.#job.updateProgress({ ...progress }))
  }

  #then(write: () => Promise<unknown>): void {
    this.#writing = this.#writing.then(write).catch(() => {
      // Progress is for watching; the copy itself must not depend on it.
    })
  }
}
