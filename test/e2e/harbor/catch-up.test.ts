import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { digestAt } from '../site.ts'
import { type HarborSite, type HarborSiteOptions, startHarborSite } from './harbor-site.ts'

const LISTS = /GET \/api\/v2\.0\/projects\/team\/artifacts/

async function siteWithTwo(options: HarborSiteOptions = {}) {
  const site = await startHarborSite(options)
  for (const name of ['team/app:1.0', 'team/app:2.0']) {
    await site.publish(name, { index: false })
    expect(await site.sync(name)).toBe(0)
  }
  await site.atRest()
  return site
}

/** pullsync is not there while `meanwhile` happens, and Harbor gives up telling it. */
async function away(site: HarborSite, minutes: number, meanwhile: () => Promise<unknown>) {
  await site.pullsync.stop()
  const told = site.upstream.delivered.length
  await meanwhile()
  await eventually(() => site.upstream.delivered.slice(told).some(({ attempt }) => attempt === 3))
  const redis = new Redis(site.redis.url)
  const seen = Number(await redis.get('pullsync:serving'))
  expect(seen).toBeGreaterThan(Date.now() - 120_000)
  await redis.set('pullsync:serving', seen - minutes * 60_000)
  redis.disconnect()
  await site.restart()
}

function here({ registry }: HarborSite, name: string) {
  if (registry === undefined) throw new Error('the local registry is a Harbor')
  return digestAt(registry, name)
}

it('what was pushed while nobody was there follows, by one look at what Harbor lists', async () => {
  await using site = await siteWithTwo()
  const from = site.upstream.requests.length
  let moved = ''

  await away(site, 10, async () => {
    moved = (await site.publish('team/app:1.0', { index: false })).top.digest
    await site.publish('team/unwanted:1.0', { index: false })
  })

  await eventually(async () => (await here(site, 'team/app:1.0')) === moved)
  await site.atRest()
  expect(site.asked(LISTS, from)).toHaveLength(1)
  expect(await here(site, 'team/unwanted:1.0')).toBeUndefined()
})

it('what is new comes, too, where everything new is wanted', async () => {
  await using site = await siteWithTwo({ project: '    onUpstreamPush: always' })
  let wanted = ''

  await away(site, 10, async () => {
    wanted = (await site.publish('team/new:1.0', { index: false })).top.digest
  })

  await eventually(async () => (await here(site, 'team/new:1.0')) === wanted)
})

it('what is here is looked at where Harbor does not list what was pushed', async () => {
  await using site = await siteWithTwo({ rights: ['pull'] })
  let moved = ''

  await away(site, 10, async () => {
    moved = (await site.publish('team/app:1.0', { index: false })).top.digest
  })

  await eventually(async () => (await here(site, 'team/app:1.0')) === moved)
})

it('nothing is looked at after a moment without pullsync', async () => {
  await using site = await siteWithTwo()
  const from = site.upstream.requests.length

  await away(site, 0, () => site.publish('team/app:1.0', { index: false }))

  // The first thing that a process asks for is what it may have missed.
  expect(await site.sync('team/app:2.0')).toBe(0)
  expect(site.asked(LISTS, from)).toEqual([])
})
