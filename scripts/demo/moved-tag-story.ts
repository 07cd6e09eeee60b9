import { eventually } from '../../test/support/eventually.ts'
import { buildImage } from '../../test/support/images/image.ts'
import type { Started } from '../../test/support/process/started.ts'
import { inspectRaw } from '../../test/support/images/skopeo.ts'
import { expectSameBytes, publish } from './client.ts'
import { jobLike } from './jobs.ts'
import type { Narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

const IMAGE = 'team/hello:1.0'

/** The tag moves upstream; its registry says so itself; the local tag follows. */
export async function movedTagStory(
  narrator: Narrator,
  stage: Stage,
  started: Started,
): Promise<void> {
  narrator.chapter('Upstream, the tag moves to a new build')
  narrator.say('  Nobody pulls. The upstream registry sends its own notification of the push.')
  const before = await inspectRaw(`${stage.nginx.host}/${IMAGE}`)
  const rebuilt = await started.add(buildImage({ layers: 3 }))
  await publish(narrator, stage, rebuilt, IMAGE)
  await narrator.see("upstream's own notification became a job", () =>
    jobLike(
      stage,
      IMAGE,
      ({ trigger, outcome }) => trigger === 'push' && outcome === 'copied',
      'a job that the push caused and that copied something',
    ),
  )
  await narrator.see('the local tag follows, without anybody asking', () =>
    eventually(
      async () => (await inspectRaw(`${stage.nginx.host}/${IMAGE}`)).digest === rebuilt.top.digest,
      { within: 20_000, describe: `${IMAGE} to be ${rebuilt.top.digest}` },
    ),
  )
  await narrator.see('again byte for byte', () =>
    expectSameBytes(stage, 'team/hello', '1.0', rebuilt),
  )
  narrator.say(`    was ${before.digest}\n    is  ${rebuilt.top.digest}`)
  narrator.digest(`${IMAGE} after the move, upstream and here`, rebuilt.top.digest)
}
