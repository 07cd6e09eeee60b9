import { join } from 'node:path'
import { buildImage } from '../../test/support/images/image.ts'
import type { Started } from '../../test/support/process/started.ts'
import { skopeo } from '../../test/support/images/skopeo.ts'
import { expectSameBytes, inspect, publish } from './client.ts'
import { followJob, type Job } from './jobs.ts'
import type { Narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

const IMAGE = 'team/hello:1.0'

/** An image is missing; somebody pulls it; it comes, unchanged, under the same name. */
export async function missStory(narrator: Narrator, stage: Stage, started: Started): Promise<void> {
  narrator.chapter(`${IMAGE} is upstream and not here: the first pull misses`)
  narrator.say(
    '  The same name is asked for that the image has upstream: no prefix, no proxy project.',
  )
  const image = await started.add(buildImage({ layers: 3, layerBytes: 6_000_000 }))
  await publish(narrator, stage, image, IMAGE)
  await narrator.see('the local registry does not have it', async () => {
    if (await inspect(narrator, stage, IMAGE)) throw new Error(`${IMAGE} was found`)
  })

  narrator.chapter('nginx reported the miss; pullsync copies the image')
  narrator.say('  The client got its 404 at once. What "pullsync jobs list" shows meanwhile:')
  const states = new Map<string, Job>()
  const job = await narrator.see(
    'the miss became a job, and the job copied the image',
    async () => {
      const ended = await followJob(stage, IMAGE, 'miss', (seen) => {
        states.set(seen.state, seen)
        narrator.note(progressText(seen))
      })
      if (ended.outcome === 'copied') return ended
      throw new Error(`job ${ended.id} ended as ${ended.outcome} ${ended.failedReason}`)
    },
  )
  await narrator.see('it was seen at work, with bytes counted', () => {
    const active = states.get('active')
    if (active === undefined) throw new Error(`seen were only ${[...states.keys()].join(', ')}`)
    if (active.bytes > 0 && job.bytes === job.totalBytes && job.bytes >= image.bytes) return
    throw new Error(`${active.bytes} bytes while active, ${job.bytes} of ${image.bytes} at the end`)
  })

  narrator.chapter('The same pull now succeeds')
  await narrator.see('the same command finds it', async () => {
    if (!(await inspect(narrator, stage, IMAGE))) throw new Error(`${IMAGE} was not found`)
  })
  await narrator.see('index and every child manifest are byte for byte those of upstream', () =>
    expectSameBytes(stage, 'team/hello', '1.0', image),
  )
  await narrator.see('a client pulls all of it, every layer verified', () => pullWhole(stage))
  narrator.digest(`${IMAGE}, upstream and here`, image.top.digest)
}

async function pullWhole(stage: Stage): Promise<void> {
  const { code, stderr } = await skopeo([
    ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
    ...[`docker://${stage.nginx.host}/${IMAGE}`, `dir:${join(stage.folder, 'pulled')}`],
  ])
  if (code !== 0) throw new Error(stderr)
}

function progressText({ state, bytes, totalBytes }: Job): string {
  const mega = (count: number) => (count / 1e6).toFixed(1)
  return totalBytes === 0 ? state : `${state}: ${mega(bytes)} of ${mega(totalBytes)} MB`
}
