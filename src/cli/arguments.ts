import { InvalidArgumentError } from 'commander'
import type { Address } from '../config/config.ts'
import { parseAddress, parseDuration, parseWhole } from '../config/schema/scalars.ts'
import { parseRegistryUrl } from '../config/schema/urls.ts'
import type { Parsed } from '../oci/parsed.ts'

const DAY_MS = 86_400_000

/** Parsers of option values; what they throw ends the command as wrong usage. */
export function addressArgument(text: string): Address {
  return valueOf(parseAddress(text))
}

export function durationArgument(text: string): number {
  return valueOf(parseDuration(text, { min: 1_000, max: 7 * DAY_MS }))
}

export function limitArgument(text: string): number {
  return valueOf(parseWhole(text, { min: 1, max: 1_000_000 }))
}

export function globArgument(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a pattern such as "team/*"')
  return text
}

/** Where a registry or proxy is told to send to: `http://pullsync.example:8080`. */
export function urlArgument(text: string): string {
  return valueOf(parseRegistryUrl(text)).origin
}

function valueOf<T>(result: Parsed<T>): T {
  if (result.ok) return result.value
  throw new InvalidArgumentError(result.reason)
}
