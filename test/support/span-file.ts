import { appendFileSync } from 'node:fs'
import { SpanKind } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'

/** A span as the file holds it, one in a line. */
export interface SpanLine {
  readonly process: number
  readonly name: string
  readonly kind: string
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code: number; readonly message?: string }
}

class FileExporter extends InMemorySpanExporter {
  readonly #file: string

  constructor(file: string) {
    super()
    this.#file = file
  }

  override export(spans: ReadableSpan[], done: Parameters<InMemorySpanExporter['export']>[1]) {
    const lines = spans.map((span) => `${JSON.stringify(lineOf(span))}\n`)
    appendFileSync(this.#file, lines.join(''))
    super.export(spans, done)
  }
}

function lineOf(span: ReadableSpan): SpanLine {
  const { name, kind, parentSpanContext, attributes, status } = span
  const { traceId, spanId } = span.spanContext()
  return {
    ...{ process: process.pid, name, kind: SpanKind[kind], attributes, status },
    ...{ trace: traceId, id: spanId },
    ...(parentSpanContext && { parent: parentSpanContext.spanId }),
  }
}

// Loaded with `--import` before pullsync is, as an operator's SDK would be.
const { SPAN_FILE } = process.env
if (SPAN_FILE !== undefined) {
  const processor = new SimpleSpanProcessor(new FileExporter(SPAN_FILE))
  new NodeTracerProvider({ spanProcessors: [processor] }).register()
}
