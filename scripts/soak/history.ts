import type { Digest } from '../../src/oci/digest.ts'

/** One tag of one repository: `team/r1:v2`. */
export type Image = string

/**
 * What upstream has had under each tag, in order, and what pullsync has promised of it. Every check of
 * the soak is a question to this.
 */
export class History {
  readonly #versions = new Map<Image, Digest[]>()
  readonly #promised = new Map<Image, number>()
  readonly violations: string[] = []

  /** Upstream has this under the tag from now on. */
  pushed(image: Image, digest: Digest): void {
    const versions = this.#versions.get(image) ?? []
    versions.push(digest)
    this.#versions.set(image, versions)
  }

  /** Which version of the tag the digest is, counted from 0; -1 for one that upstream never had there. */
  versionOf(image: Image, digest: string): number {
    return this.#versions.get(image)?.lastIndexOf(digest as Digest) ?? -1
  }

  newest(image: Image): number {
    return (this.#versions.get(image)?.length ?? 0) - 1
  }

  images(): readonly Image[] {
    return [...this.#versions.keys()]
  }

  /** An event about this version was answered 202: it, or a later one, must come. */
  promised(image: Image, version: number): void {
    this.#promised.set(image, Math.max(version, this.#promised.get(image) ?? -1))
  }

  promises(): ReadonlyMap<Image, number> {
    return this.#promised
  }

  violated(what: string): void {
    this.violations.push(what)
  }
}
