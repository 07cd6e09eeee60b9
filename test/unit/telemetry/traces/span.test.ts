import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { afterEach, describe, expect, it } from 'vitest'
import {
  inSpan,
  isTraced,
  isWithinSpan,
  traceContext,
} from '../../../../src/telemetry/traces/span.ts'

describe('without an SDK', () => {
  it('runs what it is given, and nothing is traced', async () => {
    const result = await inSpan('work', { attributes: { a: 1 } }, (note) => {
      note({ b: 2 })
      return Promise.resolve([isTraced(), traceContext()])
    })

    expect(result).toEqual([false, undefined])
    expect(isWithinSpan()).toBe(false)
  })
})

describe('with an SDK', () => {
  const exporter = new InMemorySpanExporter()

  function load(): void {
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
  }

  afterEach(() => {
    exporter.reset()
    trace.disable()
    context.disable()
    propagation.disable()
  })

  it('is a span, with what is known before and after', async () => {
    load()

    await inSpan('work', { kind: 'client', attributes: { a: 1, none: undefined } }, (note) => {
      note({ b: 'two', none: undefined })
      return Promise.resolve()
    })

    const [span] = exporter.getFinishedSpans()
    expect(span?.name).toBe('work')
    expect(span?.attributes).toEqual({ a: 1, b: 'two' })
    expect(span?.status.code).toBe(SpanStatusCode.UNSET)
  })

  it('is part of what runs, also over awaits', async () => {
    load()

    await inSpan('outer', {}, async () => {
      await Promise.resolve()
      await inSpan('inner', {}, () => Promise.resolve())
    })

    const [inner, outer] = exporter.getFinishedSpans()
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
  })

  it('goes on with what another process has begun, without its baggage', async () => {
    load()
    const begun = await inSpan('there', {}, () =>
      context.with(
        propagation.setBaggage(
          context.active(),
          propagation.createBaggage({ who: { value: 'somebody' } }),
        ),
        () => Promise.resolve(traceContext()),
      ),
    )

    await inSpan('here', { from: begun ?? {} }, () => Promise.resolve())

    const [there, here] = exporter.getFinishedSpans()
    expect(Object.keys(begun ?? {})).toEqual(['traceparent'])
    expect(here?.spanContext().traceId).toBe(there?.spanContext().traceId)
    expect(here?.parentSpanContext?.spanId).toBe(there?.spanContext().spanId)
  })

  it('begins a trace of its own where what it is to go on with cannot be read', async () => {
    load()

    await inSpan('outer', {}, () =>
      inSpan('here', { from: { traceparent: 'nonsense' } }, () => Promise.resolve()),
    )

    expect(exporter.getFinishedSpans()[0]?.parentSpanContext).toBeUndefined()
  })

  it('says that it failed, in the words of the error alone', async () => {
    load()
    const error = Object.assign(new TypeError('GET https://me:secret@hq.example/v2/ failed'), {
      headers: { authorization: 'secret' },
    })

    await expect(inSpan('work', {}, () => Promise.reject(error))).rejects.toBe(error)

    const [span] = exporter.getFinishedSpans()
    expect(span?.status).toEqual({
      code: SpanStatusCode.ERROR,
      message: 'GET https://[masked]@hq.example/v2/ failed',
    })
    expect(span?.attributes).toEqual({ 'error.type': 'TypeError' })
    expect(span?.events).toEqual([])
  })
})
