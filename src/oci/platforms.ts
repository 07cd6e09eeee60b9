import type { Descriptor, Platform } from './descriptor.ts'

/** Which platforms of an index are wanted: all of them, or these, as `os/architecture[/variant]`. */
export type WantedPlatforms = 'all' | readonly string[]

export interface ChosenChildren {
  readonly wanted: readonly Descriptor[]
  readonly leftOut: readonly Descriptor[]
}

/**
 * What to copy of an index. An attestation belongs to the image that it speaks of; what names no
 * platform, as a nested index, may hold any and is always wanted.
 */
export function chooseChildren(
  children: readonly Descriptor[],
  platforms: WantedPlatforms,
): ChosenChildren {
  if (platforms === 'all') return { wanted: children, leftOut: [] }
  const digestsOf = (list: readonly Descriptor[]) => new Set(list.map(({ digest }) => digest))
  const chosen = digestsOf(children.filter((child) => isWanted(child, platforms)))
  const all = digestsOf(children)
  const isChosen = ({ digest, attestationOf }: Descriptor): boolean =>
    attestationOf !== undefined && all.has(attestationOf)
      ? chosen.has(attestationOf)
      : chosen.has(digest)
  return {
    wanted: children.filter(isChosen),
    leftOut: children.filter((child) => !isChosen(child)),
  }
}

/** `linux/arm64` or `linux/arm/v7`; a wanted platform without a variant matches every variant. */
export function matchesPlatform(wanted: string, platform: Platform): boolean {
  const [os, architecture = '', variant] = wanted.split('/')
  return (
    platform.os === os &&
    platform.architecture === architecture &&
    (variant === undefined || variantOf(platform) === variant)
  )
}

/** As it stands in a configuration: `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}

/** BuildKit gives attestations the platform unknown/unknown, so that nobody runs them. */
export function isRunnable({ os, architecture }: Platform): boolean {
  return os !== 'unknown' || architecture !== 'unknown'
}

function isWanted({ platform }: Descriptor, platforms: readonly string[]): boolean {
  if (platform === undefined || !isRunnable(platform)) return true
  return platforms.some((wanted) => matchesPlatform(wanted, platform))
}

// What an image without a variant is taken for: containerd, platforms, "Normalization".
const USUAL_VARIANT: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7', amd64: 'v1' }

function variantOf({ architecture, variant }: Platform): string | undefined {
  return variant ?? USUAL_VARIANT[architecture]
}
