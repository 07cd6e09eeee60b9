import { didYouMean } from '../schema/did-you-mean.ts'

/** What could have been meant by `id`: `an upstream (hq or dr; did you mean hq?)`. */
export function oneOfUpstreams(id: string, upstreams: readonly string[]): string {
  const near = didYouMean(id, upstreams)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return `an upstream (${upstreams.join(', ')}${hint})`
}
