export interface ListenAddress {
  readonly host: string
  readonly port: number
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'that host name has no address',
}

/** An address of the configuration cannot be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly configKey: string
  /** Another start does not mend it; an address may be free, or there, a moment later. */
  readonly isForGood: boolean

  constructor({ host, port }: ListenAddress, configKey: string, cause: Error) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
    const reason = REASONS[code] ?? cause.message
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    super(
      `cannot listen on ${address}: ${reason}; change "${configKey}" in the configuration, or free the address`,
      { cause },
    )
    this.configKey = configKey
    this.isForGood = code === 'EACCES'
  }
}
