import { eventually } from '../../test/support/eventually.ts'
import { buildImage } from '../../test/support/images/image.ts'
import type { Started } from '../../test/support/process/started.ts'
import { expectSameBytes, inspect, publish } from './client.ts'
import { jobLike, pullsync } from './jobs.ts'
import type { Narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

const IMAGE = 'team/other:2.0'
/** As in the demo's configuration. */
const ATTEMPTS = 3

/** Upstream is down, a job waits and says why; upstream returns, and the job copies by itself. */
export async function outageStory(
  narrator: Narrator,
  stage: Stage,
  started: Started,
): Promise<void> {
  narrator.chapter('Upstream goes down, and somebody wants another image')
  narrator.say(
    '  Registry and line are stopped; pullsync finds that out once, and asks now and then whether they are back.',
  )
  const image = await started.add(buildImage())
  await publish(narrator, stage, image, IMAGE)
  await stage.line.stop()
  await stage.upstream.stop()
  await narrator.see('what is here is served as if nothing had happened', async () => {
    if (!(await inspect(narrator, stage, 'team/hello:1.0'))) throw new Error('it was not found')
  })
  await narrator.see(`${IMAGE} is not here`, async () => {
    if (await inspect(narrator, stage, IMAGE)) throw new Error(`${IMAGE} was found`)
  })
  const waiting = await narrator.see('its job waits, and loses no attempt', () =>
    jobLike(
      stage,
      IMAGE,
      ({ state, attemptsMade }) => state === 'delayed' && attemptsMade < ATTEMPTS,
      `a job for ${IMAGE} that waits`,
    ),
  )
  await narrator.see('pullsync says why', async () => {
    const status = await eventually(
      async () => {
        const shown = await pullsync(stage, ['status'])
        return shown.includes(' down, tried ') && shown
      },
      { within: 30_000, describe: 'the upstream to be shown as down' },
    )
    narrator.command('pullsync status', status)
  })

  narrator.chapter("Upstream returns; nobody's hand is needed")
  await stage.upstream.start()
  await stage.line.start()
  await narrator.see('the same job copies the image', () =>
    jobLike(
      stage,
      IMAGE,
      ({ id, outcome }) => id === waiting.id && outcome === 'copied',
      `job ${waiting.id} to copy ${IMAGE}`,
    ),
  )
  await narrator.see('the pull succeeds', () =>
    eventually(() => inspect(narrator, stage, IMAGE), { describe: IMAGE }),
  )
  await narrator.see('byte for byte', () => expectSameBytes(stage, 'team/other', '2.0', image))
  narrator.digest(`${IMAGE}, upstream and here`, image.top.digest)
}
