import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { SpanLine } from '../support/span-file.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { arrives, postTo, SECRET, type Site, startSite } from './site.ts'

const SDK = pathToFileURL(join(import.meta.dirname, '../../dist/test/support/span-file.js')).href
/** As distribution 3 sends one. */
const SENDER = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' }

describe('a trace', () => {
  let site: Site
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let file: string

  beforeAll(async () => {
    folder = await tempFolder('spans')
    file = join(folder.path, 'spans')
    const env = { NODE_OPTIONS: `--import=${SDK}`, SPAN_FILE: file }
    // Whose notifications would make jobs, and traces, of their own.
    const silent = { notifications: [] }
    site = await startSite({
      ...{ upstream: silent, local: silent },
      serveEnv: env,
      workerEnv: env,
    })
  })
  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** All spans of the trace of the repository's job, once those named have ended, too. */
  async function traceOf(repository: string, ...names: string[]): Promise<readonly SpanLine[]> {
    let spans: readonly SpanLine[] = []
    await eventually(
      async () => {
        const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1)
        const all = lines.map((line) => JSON.parse(line) as SpanLine)
        const job = all.find(
          ({ name, attributes }) =>
            name === 'job' && attributes['pullsync.repository'] === repository,
        )
        spans = all.filter(({ trace }) => trace === job?.trace)
        return ['job', ...names].every((name) => spans.some((span) => span.name === name))
      },
      { describe: () => `job and ${names.join()} among ${spans.map(({ name }) => name).join()}` },
    )
    return spans
  }

  function only(spans: readonly SpanLine[], name: string): SpanLine {
    const [span, ...others] = spans.filter((each) => each.name === name)
    if (span === undefined || others.length > 0) throw new Error(`not one span "${name}"`)
    return span
  }

  it("leads from the sender's own over the delivery and the job to each layer", async () => {
    const image = await site.publish('team/told:1.0')
    const traceparent = `00-${SENDER.trace}-${SENDER.span}-01`
    const headers = { authorization: `Bearer ${SECRET}`, traceparent, baggage: 'who=somebody' }
    await postTo(`${site.events}/miss`, { repository: 'team/told', reference: '1.0' }, headers)
    await arrives(site, 'team/told:1.0', image)

    const spans = await traceOf('team/told', 'delivery')

    const delivery = only(spans, 'delivery')
    expect(delivery).toMatchObject({ kind: 'SERVER', trace: SENDER.trace, parent: SENDER.span })
    expect(delivery.attributes).toMatchObject({
      'pullsync.source': 'miss',
      'http.response.status_code': 202,
    })
    const job = only(spans, 'job')
    expect(job).toMatchObject({ kind: 'CONSUMER', parent: delivery.id })
    expect(job.process).not.toBe(delivery.process)
    expect(job.attributes).toMatchObject({
      'pullsync.repository': 'team/told',
      'pullsync.reference': '1.0',
      'pullsync.trigger': 'miss',
      'pullsync.upstream': 'hq',
      'pullsync.digest': image.top.digest,
      'pullsync.outcome': 'copied',
      'pullsync.bytes': image.bytes,
    })
    const copies = spans.filter(({ name }) => name === 'blob copy')
    expect(copies.map(({ attributes }) => attributes['pullsync.digest']).sort()).toEqual(
      image.blobs.map(({ digest }) => digest).sort(),
    )
    for (const copy of copies) {
      expect(copy).toMatchObject({ kind: 'CLIENT', parent: job.id })
      const get = spans.find(({ parent }) => parent === copy.id)
      expect(get).toMatchObject({ name: 'blob get', attributes: { 'pullsync.registry': 'hq' } })
    }
    const puts = spans.filter(({ name }) => name === 'manifest put')
    expect(puts.map(({ attributes }) => attributes['pullsync.digest'])).toContain(image.top.digest)
  })

  it('begins with a pull that misses at the gateway', async () => {
    const image = await site.publish('team/pulled:1.0')
    const pull = `http://${site.gateway}/v2/team/pulled/manifests/1.0`
    const accept = image.top.mediaType
    // A client's own trace would let anybody have everything recorded.
    const traceparent = `00-${SENDER.trace}-${SENDER.span}-01`
    await fetch(pull, { headers: { accept, traceparent } })

    const spans = await traceOf('team/pulled', 'miss')

    const miss = only(spans, 'miss')
    expect(miss.kind).toBe('SERVER')
    expect(miss.trace).not.toBe(SENDER.trace)
    expect(miss.attributes['pullsync.answer']).toBeTypeOf('string')
    expect(only(spans, 'job').parent).toBe(miss.id)
  })

  it('says what failed, and holds no secret', async () => {
    await site.miss('team/nothing', '9.9')

    const spans = await traceOf('team/nothing')

    expect(only(spans, 'job').attributes['pullsync.outcome']).toBe('not-found')
    expect(await readFile(file, 'utf8')).not.toMatch(new RegExp(`${SECRET}|who=somebody`))
  })
})
