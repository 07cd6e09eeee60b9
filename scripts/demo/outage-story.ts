import { eventually } from '../../test/support/eventually.ts'
import { buildImage } from '../../test/support/image.ts'
import type { Started } from '../../test/support/started.ts'
import { expectSameBytes, inspect, publish } from './client.ts'
import { followJob, jobLike, pullsync } from './jobs.ts'
import type { Narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

const IMAGE = 'team/other:2.0'

/** Upstream is down, a job fails and says why; upstream returns, and the job is run again. */
export async function outageStory(
  narrator: Narrator,
  stage: Stage,
  started: Started,
): Promise<void> {
  narrator.chapter('Upstream goes down, and somebody wants another image')
  narrator.say(
    '  Registry and line are stopped; pullsync tries three times, then keeps the job as failed.',
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
  const failed = await narrator.see('the job fails, after 3 attempts', async () => {
    const job = await followJob(stage, IMAGE, 'miss', ({ state, attemptsMade }) => {
      narrator.note(`${state}, ${attemptsMade} attempts made`)
    })
    if (job.state === 'failed' && job.attemptsMade === 3) return job
    throw new Error(`job ${job.id} is ${job.state} after ${job.attemptsMade} attempts`)
  })
  await narrator.see('pullsync says why', async () => {
    const list = await pullsync(stage, ['jobs', 'list', '--state', 'failed'])
    narrator.command('pullsync jobs list --state failed', list)
    if (failed.failedReason === '' || !list.includes(IMAGE)) throw new Error('no reason is given')
  })

  narrator.chapter('Upstream returns; the failed job is run again')
  await stage.upstream.start()
  await stage.line.start()
  narrator.command(
    `pullsync jobs retry ${failed.id}`,
    await pullsync(stage, ['jobs', 'retry', failed.id]),
  )
  await narrator.see('it copies the image this time', () =>
    jobLike(
      stage,
      IMAGE,
      ({ id, outcome }) => id === failed.id && outcome === 'copied',
      `job ${failed.id} to copy ${IMAGE}`,
    ),
  )
  await narrator.see('the pull succeeds', () =>
    eventually(() => inspect(narrator, stage, IMAGE), { describe: IMAGE }),
  )
  await narrator.see('byte for byte', () => expectSameBytes(stage, 'team/other', '2.0', image))
  narrator.digest(`${IMAGE}, upstream and here`, image.top.digest)
}
