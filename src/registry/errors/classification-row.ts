import type { ContentFault, Disposition, Side } from '../../replication/errors.ts'
import type { ErrorBody } from './error-body.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import type { Operation, OperationKind } from '../words/operation.ts'

/** What an answer must be like to mean this; what is absent may be anything. */
export interface Row {
  readonly status: number | readonly [from: number, to: number]
  readonly codes?: readonly string[]
  /** In the answer's own words, where products say more there than in their code. */
  readonly text?: RegExp
  readonly side?: Side
  readonly kinds?: readonly OperationKind[]
  readonly disposition: Disposition
  readonly content?: ContentFault
  readonly withheld?: true
  readonly advice?: (registry: RegistryIdentity) => string
}

export function fits(row: Row, status: number, body: ErrorBody, operation: Operation): boolean {
  return statusFits(row.status, status) && bodyFits(row, body) && operationFits(row, operation)
}

function bodyFits({ codes, text }: Row, body: ErrorBody): boolean {
  return (
    (codes?.some((code) => body.codes.includes(code)) ?? true) && (text?.test(body.text) ?? true)
  )
}

function operationFits({ side, kinds }: Row, { registry, kind }: Operation): boolean {
  return (side === undefined || side === registry.side) && (kinds?.includes(kind) ?? true)
}

function statusFits(wanted: Row['status'], status: number): boolean {
  if (typeof wanted === 'number') return status === wanted
  return status >= wanted[0] && status <= wanted[1]
}
