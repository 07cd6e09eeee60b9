import { Started } from '../../test/support/process/started.ts'
import { movedTagStory } from './moved-tag-story.ts'
import { missStory } from './miss-story.ts'
import { type Narrator, narratorOn } from './narrator.ts'
import { outageStory } from './outage-story.ts'
import { openPage } from './page.ts'
import { setStage, type Stage } from './stage.ts'
import { stopRequested } from './stop-requested.ts'

const USAGE = `Usage: npm run demo [-- --once]

Shows what pullsync does, on real registries of this machine, and leaves everything running to try.
  --once   stop at the end; the exit code is 0 only if each step was seen to be true`

process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  const [option, ...others] = args
  if (option === '--help') {
    console.log(USAGE)
    return 0
  }
  if (others.length > 0 || (option !== undefined && option !== '--once')) {
    console.error(USAGE)
    return 2
  }
  return await play(option === '--once')
}

async function play(once: boolean): Promise<number> {
  const page = openPage(process.stdout)
  const narrator = narratorOn(page)
  const started = new Started()
  const stop = stopRequested()
  try {
    const stage = await Promise.race([perform(narrator, started), stop.promise])
    if (typeof stage === 'number') return stage
    narrator.summary()
    return once ? 0 : await stayOpen(narrator, stage, stop.promise)
  } catch (error) {
    narrator.failed(error)
    narrator.summary()
    return 1
  } finally {
    page.line('\nStopping everything …')
    page.close()
    await started[Symbol.asyncDispose]()
  }
}

async function perform(narrator: Narrator, started: Started): Promise<Stage> {
  const stage = await setStage(narrator, started)
  await missStory(narrator, stage, started)
  await movedTagStory(narrator, stage, started)
  await outageStory(narrator, stage, started)
  return stage
}

/** @returns 0 after being asked to stop, 1 when pullsync came to an end by itself */
async function stayOpen(
  narrator: Narrator,
  stage: Stage,
  stopped: Promise<number>,
): Promise<number> {
  narrator.say(`
Everything is left running for you to try:

  dashboard        ${stage.dashboardUrl}
  metrics          ${stage.adminUrl}/metrics
  pull from        ${stage.nginx.host}   (the local registry)
  push to          ${stage.upstream.host}   (the upstream)

  skopeo copy --dest-tls-verify=false oci:${stage.sample.folder}:image docker://${stage.upstream.host}/team/yours:1.0
  skopeo inspect --tls-verify=false docker://${stage.nginx.host}/team/yours:1.0   # not found; once more: there
  npm run -s pullsync -- ${stage.cliOptions.join(' ')} jobs list
  npm run -s pullsync -- ${stage.cliOptions.join(' ')} status

Ctrl-C stops it all and removes ${stage.folder}.`)
  const ended = stage.pullsync.child.ended.then(() => 'ended' as const)
  if ((await Promise.race([stopped, ended])) !== 'ended') return 0
  narrator.failed(
    new Error(`pullsync ended by itself:\n${stage.pullsync.output().slice(-20).join('\n')}`),
  )
  return 1
}
