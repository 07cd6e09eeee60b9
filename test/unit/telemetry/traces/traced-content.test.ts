import { context, propagation, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { afterEach, expect, it } from 'vitest'
import { digestOf } from '../../../../src/oci/digest.ts'
import { inSpan } from '../../../../src/telemetry/traces/span.ts'
import { tracedSource } from '../../../../src/telemetry/traces/traced-content.ts'
import { MemoryRegistry } from '../../replication/memory-registry.ts'

afterEach(() => {
  trace.disable()
  context.disable()
  propagation.disable()
})

it('gives parts of a blob as the source does that it traces, and tells of each', async () => {
  const exporter = new InMemorySpanExporter()
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
  const bytes = Buffer.from('a part')
  const source = Object.assign(new MemoryRegistry('hq', 'team/app'), {
    getBlobPart: () => Promise.resolve(bytes),
  })
  const blob = { mediaType: '', digest: digestOf(bytes), size: 100 }
  const { signal } = new AbortController()

  const part = await inSpan('job', {}, async () => {
    return await tracedSource(source).getBlobPart?.(blob, { offset: 50, length: 6 }, signal)
  })

  expect(part).toEqual(bytes)
  const [span] = exporter.getFinishedSpans()
  expect(span?.attributes).toMatchObject({
    'pullsync.digest': blob.digest,
    'pullsync.offset': 50,
  })
})
