import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { ReferrerNews } from '../../../workers/referrer-news.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { COPIED, queueSite, type QueueSite } from '../queue/queue-site.ts'

const SUBJECT = digestOf(Buffer.from('an image'))

let site: QueueSite

beforeEach(async () => {
  site = await queueSite()
})

afterEach(() => site[Symbol.asyncDispose]())

it('a signature is not forgotten because the local registry could not say whether its image is here', async () => {
  const news = new ReferrerNews(site.queues, () => undefined)
  const request = replicationRequest()
  await news.awaits(request, SUBJECT)

  await news.ended(request, COPIED, () => Promise.reject(new Error('answered 503')))
  expect(await site.jobs()).toEqual([])

  await news.ended(request, COPIED, () => Promise.resolve(true))
  expect((await site.jobs()).map((job) => job.request?.reference)).toEqual([SUBJECT])
})
