import { projectOf, type Repository } from '../../oci/reference.ts'

// A registry can be upgraded; one 404 in an hour costs nothing.
const ASK_AGAIN_MS = 3_600_000

// A project can be another registry behind the same name; its repositories are not.
const SPEAK_FOR_ALL = 3
// What routes requests answers so, too, while it is set up anew.
const LATELY_MS = 600_000

/** Of repositories, and of projects: whoever is forgotten is asked once more. */
const MAX_LEARNED = 2_000

/** Where a registry has the referrers API, as far as it has shown. */
export class ReferrersApis {
  readonly #atMost: number
  readonly #now: () => number
  /** Until when it counts as one without, by repository, or project before a slash; milliseconds since 1970. */
  readonly #absentUntil = new Map<string, number>()
  /** By project, the repositories of which it did not even know the path, and when that was. */
  readonly #unknownPath = new Map<string, Map<Repository, number>>()
  #shown = false

  constructor(atMost = MAX_LEARNED, now = Date.now) {
    this.#atMost = atMost
    this.#now = now
  }

  /** It has answered by it, of whatever. */
  get shown(): boolean {
    return this.#shown
  }

  lacks(repository: Repository): boolean {
    const until = Math.max(
      this.#absentUntil.get(repository) ?? 0,
      this.#absentUntil.get(projectKey(repository)) ?? 0,
    )
    return this.#now() < until
  }

  noteAnswer(): void {
    this.#shown = true
    this.#unknownPath.clear()
    this.#absentUntil.clear()
  }

  noteUnknownPath(repository: Repository): void {
    if (this.#shown) return
    const project = projectKey(repository)
    const since = new Map(this.#unknownLately(project)).set(repository, this.#now())
    this.#remember(this.#unknownPath, project, since)
  }

  noteAbsent(repository: Repository): void {
    // One that has answered for another repository lacks this repository, not the API.
    if (this.#shown) return
    const until = this.#now() + ASK_AGAIN_MS
    const project = projectKey(repository)
    this.#remember(this.#absentUntil, repository, until)
    if (this.#unknownLately(project).length < SPEAK_FOR_ALL) return
    this.#unknownPath.delete(project)
    this.#remember(this.#absentUntil, project, until)
  }

  #unknownLately(project: string): readonly (readonly [Repository, number])[] {
    const from = this.#now() - LATELY_MS
    return [...(this.#unknownPath.get(project) ?? [])].filter(([, at]) => at >= from)
  }

  /** The latest come last, and the oldest go. */
  #remember<Value>(into: Map<string, Value>, key: string, value: Value): void {
    into.delete(key)
    into.set(key, value)
    const [oldest] = into.keys()
    if (into.size > this.#atMost && oldest !== undefined) into.delete(oldest)
  }
}

/** No repository ends with a slash. */
function projectKey(repository: Repository): string {
  return `${projectOf(repository)}/`
}
