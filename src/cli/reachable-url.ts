import type { Address } from '../config/config.ts'

/** How a program on this machine reaches what listens there. */
export function reachableUrl({ host, port }: Address): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${authorityOf({ host, port })}`
}

export function authorityOf({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
