import { setTimeout as delay } from 'node:timers/promises'
import type { Tag } from '../../../oci/reference.ts'
import { ReplicationError } from '../../errors.ts'
import type { ConfirmRight } from '../../tag-right.ts'
import type { GraphCopy } from '../graph-copy.ts'

// A list is written in a moment. A signature that another job brings takes a little longer; hostile names can
// make two jobs wait for each other.
const LOOK_EVERY_MS = 100
const LOOKS = 600

const MINE: ConfirmRight = () => Promise.resolve()

/**
 * Runs it with the right to write the tag under which something refers to an image, once nobody else has that: as an image's
 * own tag, it has one writer at a time, from the look until after the write.
 */
export async function withReferrerRight<T>(
  { withRightTo, signal }: Pick<GraphCopy, 'withRightTo' | 'signal'>,
  tag: Tag,
  run: (confirm: ConfirmRight) => Promise<T>,
): Promise<T> {
  if (withRightTo === undefined) return await run(MINE)
  for (let look = 0; look < LOOKS; look += 1) {
    const ended = await withRightTo(tag, async (confirm) => ({ value: await run(confirm) }))
    if (ended !== undefined) return ended.value
    await delay(LOOK_EVERY_MS, undefined, { signal })
  }
  throw new ReplicationError(
    `another job has been writing tag ${tag} for a minute; the next look at the image brings what is missing`,
    { disposition: 'transient' },
  )
}
