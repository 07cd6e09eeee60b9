import type { Digest } from './digest.ts'

/** OCI image-spec, descriptor.md#platform. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

/** OCI image-spec, descriptor.md. `size` is in bytes. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: Platform
}

/** `linux/arm64` or `linux/arm/v7`; a wanted platform without a variant matches every variant. */
export function matchesPlatform(wanted: string, platform: Platform | undefined): boolean {
  const [os, architecture, variant] = wanted.split('/')
  return (
    platform !== undefined &&
    platform.os === os &&
    platform.architecture === architecture &&
    (variant === undefined || platform.variant === variant)
  )
}
