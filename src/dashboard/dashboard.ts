import { createBullBoard } from '@bull-board/api'
import express, { type RequestHandler, type Router } from 'express'
import type { ReplicationQueues } from '../queue/queues.ts'
import { BoardAdapter } from './board-adapter.ts'
import { boardQueue } from './board-queue.ts'
import { onlyAllowedActions } from './allowed-actions.ts'
import { onlyFromHere } from './only-from-here.ts'
import { messageOf } from '../thrown.ts'

export interface DashboardOptions {
  readonly queues: ReplicationQueues
}

/** Where the router has to be mounted: its pages name it in their links. */
export const DASHBOARD_PATH = '/dashboard'

/**
 * Every queue and its jobs, to look at, retry, promote, remove, pause and resume. Shows queues that a reload of the
 * configuration adds. To be mounted at `DASHBOARD_PATH`, behind what proves that an operator asks.
 */
export function dashboardRouter({ queues }: DashboardOptions): Router {
  const serverAdapter = new BoardAdapter().setBasePath(DASHBOARD_PATH)
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    options: { uiConfig: UI, handlerHooks: { before: onlyAllowedActions } },
  })
  const shown = new Set<string>()
  function showNew(): void {
    for (const [upstream, queue] of queues.all()) {
      if (!shown.has(upstream)) board.addQueue(boardQueue(upstream, queue))
      shown.add(upstream)
    }
  }
  const router = express.Router()
  router.use(onlyFromHere, (_request, _response, next) => {
    showNew()
    next()
  })
  router.use(needsRedis(queues), serverAdapter.getRouter())
  return router
}

/**
 * Lets nobody wait for a Redis that is not there: bull-board does so without an end, and says what is wrong in the
 * words of its client.
 */
function needsRedis(queues: ReplicationQueues): RequestHandler {
  return async (_request, response, next) => {
    try {
      await queues.ping()
    } catch (error) {
      response.status(503).json({ error: messageOf(error) })
      return
    }
    next()
  }
}

const UI = {
  boardTitle: 'pullsync',
  hideDocsLink: true,
  // Names, versions and memory of a server that is no part of what people come here for.
  hideRedisDetails: true,
  showMetrics: true,
}
