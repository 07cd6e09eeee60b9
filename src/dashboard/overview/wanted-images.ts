import { formatImageName } from '../../oci/reference.ts'
import type { JobRecord } from '../../queue/records/job-records.ts'

export interface WantedImage {
  readonly image: string
  readonly times: number
  /** Why it is not here, as the newest job says. */
  readonly why: string
}

/** What was asked for and nobody has, or the local registry does not take; the most wanted first. */
export function wantedImages(wanting: readonly JobRecord[], limit = 10): readonly WantedImage[] {
  const images = new Map<string, WantedImage>()
  for (const { request, outcome } of wanting) {
    if (request === undefined || outcome === undefined) continue
    const image = formatImageName(request.repository, request.reference)
    const known = images.get(image)
    const why =
      outcome.kind === 'refused' ? outcome.reason : `not found on ${request.upstreams.join(', ')}`
    images.set(image, { image, times: (known?.times ?? 0) + 1, why: known?.why ?? why })
  }
  return [...images.values()].sort((a, b) => b.times - a.times).slice(0, limit)
}
