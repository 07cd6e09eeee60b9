import express, { type Request, type Response, type Router } from 'express'
import type { Config } from '../../config/config.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { redisFailure } from '../../pool/redis-errors.ts'
import { retryJob } from '../../queue/records/job-actions.ts'
import { onlyFromHere } from '../only-from-here.ts'
import { explainedSection } from './explained.ts'
import { html } from './html.ts'
import { LiveOverview } from './live.ts'
import { framed, overviewPage } from './page.ts'
import { SCRIPT } from './script.ts'
import { readSnapshot } from './snapshot.ts'
import { readStory, storySection } from './story.ts'
import { STYLE } from './style.ts'

export interface Overview extends Disposable {
  readonly router: Router
}

/** Of ids in a form, each about twenty characters long. */
const MOST_FORM_BYTES = 64 * 1024
const MOST_NAME = 300

/**
 * The page that shows how it goes, at a glance: to be mounted at the root, behind what proves that an
 * operator asks. Complete without scripts; with them it follows what happens.
 */
export function openOverview(queues: ReplicationQueues, config: () => Config): Overview {
  const live = new LiveOverview(queues)
  const router = express.Router()
  router.use(onlyFromHere)
  router.get('/', (_request, response) => showOverview(queues, response))
  router.get('/image', (request, response) =>
    showStory({ queues, config: config() }, request, response),
  )
  router.get('/overview.css', (_request, response) => {
    response.type('css').send(STYLE)
  })
  router.get('/overview.js', (_request, response) => {
    response.type('js').send(SCRIPT)
  })
  router.get('/overview/events', live.follow)
  router.post(
    '/retry',
    express.urlencoded({ extended: false, limit: MOST_FORM_BYTES }),
    (request, response) => retryAll(queues, request, response),
  )
  return {
    router,
    [Symbol.dispose]: () => {
      live[Symbol.dispose]()
    },
  }
}

async function showOverview(queues: ReplicationQueues, response: Response): Promise<void> {
  await answered(queues, response, async () => {
    response.send(overviewPage(await readSnapshot(queues)))
  })
}

async function showStory(
  { queues, config }: { readonly queues: ReplicationQueues; readonly config: Config },
  request: Request,
  response: Response,
): Promise<void> {
  const given = request.query['name']
  const name = typeof given === 'string' ? given.slice(0, MOST_NAME) : ''
  await answered(queues, response, async () => {
    const jobs = await readStory(queues, name)
    const explained = await explainedSection(queues, config, name)
    const body = html`<h2>${name}</h2>
      ${explained} ${storySection(name, jobs, Date.now())}`
    response.send(framed(`${name} – pullsync`, body))
  })
}

/** In its own way, or by a page that says what is the matter with Redis. */
async function answered(
  queues: ReplicationQueues,
  response: Response,
  answer: () => Promise<void>,
): Promise<void> {
  try {
    // Of a Redis that was never there, BullMQ waits for an answer without an end.
    await queues.ping()
    await answer()
  } catch (error) {
    const failure = redisFailure(error)
    if (failure === undefined) throw error
    const problem = `${failure} Pulls of what is here go on; nothing new is copied until it answers.`
    response.status(503).send(overviewPage({ problem }))
  }
}

async function retryAll(
  queues: ReplicationQueues,
  request: Request,
  response: Response,
): Promise<void> {
  const form: unknown = request.body
  const jobs = typeof form === 'object' && form !== null && 'jobs' in form ? form.jobs : ''
  const ids = typeof jobs === 'string' ? jobs.split(' ').filter((id) => id !== '') : []
  await answered(queues, response, async () => {
    for (const id of ids) await retryJob(queues, id)
    response.redirect(303, './')
  })
}
