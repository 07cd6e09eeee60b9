import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { asError } from '../../thrown.ts'
import { VERSION } from '../../version.ts'
import { maskedText } from '../masked.ts'

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const

/** Facts without secrets; what is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** Where a trace goes on in another process, as the operator's propagator writes it. */
export type TraceContext = Readonly<Record<string, string>>

export interface SpanOptions {
  /** What the span stands for; work within the process unless told. */
  readonly kind?: keyof typeof KINDS
  /** What another process has begun: it goes on here. Else the span is part of what runs. */
  readonly from?: Readonly<Record<string, string | undefined>>
  readonly attributes?: Attributes
}

// Asks whatever SDK is loaded later; while there is none, its spans are nothing.
const tracer = trace.getTracer('pullsync', VERSION)

/** Runs it as one span of a trace, which tells how it ends. `note` adds what is known only then. */
export async function inSpan<T>(
  name: string,
  { kind = 'internal', from, attributes = {} }: SpanOptions,
  run: (note: (attributes: Attributes) => void) => Promise<T>,
): Promise<T> {
  const parent = from === undefined ? context.active() : propagation.extract(ROOT_CONTEXT, from)
  const span = tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes } }, parent)
  const note = (more: Attributes) => {
    span.setAttributes({ ...more })
  }
  try {
    return await context.with(trace.setSpan(parent, span), () => run(note))
  } catch (error) {
    fail(span, asError(error))
    throw error
  } finally {
    span.end()
  }
}

/** Whether anybody records what runs here. */
export function isTraced(): boolean {
  return trace.getActiveSpan()?.isRecording() ?? false
}

/** Whether something else, such as an instrumented HTTP server, has begun a span for what runs here. */
export function isWithinSpan(): boolean {
  return trace.getActiveSpan() !== undefined
}

/** For whoever goes on with what runs here; undefined where nothing is traced. */
export function traceContext(): TraceContext | undefined {
  if (!isWithinSpan()) return undefined
  const carrier: Record<string, string> = {}
  // Baggage is the senders' own, and nobody's who works through the queue.
  propagation.inject(propagation.deleteBaggage(context.active()), carrier)
  return Object.keys(carrier).length === 0 ? undefined : carrier
}

// Not `recordException`: stacks and own fields of errors hold more than their messages.
function fail(span: Span, { name, message }: Error): void {
  span.setAttribute('error.type', name)
  span.setStatus({ code: SpanStatusCode.ERROR, message: maskedText(message) })
}
