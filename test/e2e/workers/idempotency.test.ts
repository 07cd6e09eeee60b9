import { afterEach, expect, it } from 'vitest'
import { arrives, type Site, startSite } from '../site.ts'

let site: Site | undefined

afterEach(async () => {
  await site?.[Symbol.asyncDispose]()
  site = undefined
})

it('ten times the same delivery, and the same event under ten ids, make one job', async () => {
  const here = await startSite({
    upstream: { notifications: [] },
    project: '    onUpstreamPush: always',
  })
  site = here
  const image = await here.publish('team/app:1.0')
  // Nothing runs meanwhile: an event that comes while its image is being copied may be newer than that.
  expect(await here.serve.run(['pause', 'hq'])).toMatchObject({ code: 0 })
  const target = { repository: 'team/app', tag: '1.0', digest: image.top.digest }
  const push = (id: string) => ({ events: [{ id, action: 'push', target }] })

  const answers = []
  for (let time = 0; time < 10; time += 1) answers.push(await here.post('hq-push', push('one')))
  for (let id = 0; id < 10; id += 1) answers.push(await here.post('hq-push', push(`id-${id}`)))

  const counted = answers.map(({ body }) => body as { accepted: number; duplicates: number })
  expect(counted.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(1)
  expect(counted.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(19)
  await here.serve.run(['resume', 'hq'])
  await arrives(here, 'team/app:1.0', image)
  expect(await here.jobs('--match', 'team/app*')).toHaveLength(1)
})
