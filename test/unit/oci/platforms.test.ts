import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { chooseChildren, matchesPlatform } from '../../../src/oci/platforms.ts'

function child(platform: string | undefined, more: Partial<Descriptor> = {}): Descriptor {
  const [os = '', architecture = '', variant] = platform?.split('/') ?? []
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(Buffer.from(platform ?? 'none')),
    size: 1,
    ...(platform !== undefined && {
      platform: { os, architecture, ...(variant !== undefined && { variant }) },
    }),
    ...more,
  }
}

describe('a wanted platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/amd64', 'linux/amd64/v3'],
    ['linux/arm', 'linux/arm/v6'],
    ['linux/arm/v7', 'linux/arm/v7'],
    ['linux/arm/v7', 'linux/arm'],
    ['linux/arm64', 'linux/arm64/v8'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['windows/amd64', 'windows/amd64'],
  ])('%s is met by %s', (wanted, offered) => {
    expect(matchesPlatform(wanted, child(offered).platform ?? { os: '', architecture: '' })).toBe(
      true,
    )
  })

  it.each([
    ['linux/amd64', 'windows/amd64'],
    ['linux/arm64', 'linux/arm/v8'],
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm'],
    ['linux/arm64/v9', 'linux/arm64'],
    ['linux/riscv64/x', 'linux/riscv64'],
  ])('%s is not met by %s', (wanted, offered) => {
    expect(matchesPlatform(wanted, child(offered).platform ?? { os: '', architecture: '' })).toBe(
      false,
    )
  })
})

describe('the children chosen of an index', () => {
  const amd64 = child('linux/amd64')
  const arm64 = child('linux/arm64/v8')
  const nested = child(undefined)
  const ofAmd64 = child('unknown/unknown', {
    digest: digestOf(Buffer.from('of amd64')),
    attestationOf: amd64.digest,
  })
  const ofArm64 = {
    ...ofAmd64,
    digest: digestOf(Buffer.from('of arm64')),
    attestationOf: arm64.digest,
  }

  it('are all of them when all are wanted', () => {
    const children = [amd64, arm64, ofAmd64]

    expect(chooseChildren(children, 'all')).toEqual({ wanted: children, leftOut: [] })
  })

  it('are those of the platform, their attestations, and what names no platform', () => {
    expect(chooseChildren([amd64, ofAmd64, arm64, ofArm64, nested], ['linux/amd64'])).toEqual({
      wanted: [amd64, ofAmd64, nested],
      leftOut: [arm64, ofArm64],
    })
  })

  it('keep an unknown platform that speaks of nothing in the index', () => {
    const stray = { ...ofAmd64, attestationOf: digestOf(Buffer.from('elsewhere')) }
    const plain = child('unknown/unknown')

    expect(chooseChildren([arm64, stray, plain], ['linux/amd64']).wanted).toEqual([stray, plain])
  })

  it('keep one manifest that serves two platforms when one of them is wanted', () => {
    const other = { ...child('linux/386'), digest: amd64.digest }

    expect(chooseChildren([other, amd64], ['linux/amd64']).leftOut).toEqual([])
  })
})
