import { describe, expect, it } from 'vitest'
import { isPrivateAddress } from '../../../../src/registry/network/private-address.ts'

describe('isPrivateAddress', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['the end of loopback', '127.255.255.254'],
    ['unspecified', '0.0.0.0'],
    ['a private network', '10.1.2.3'],
    ['a private network', '172.31.255.255'],
    ['a private network', '192.168.1.1'],
    ['the metadata service of most clouds', '169.254.169.254'],
    ['the metadata service of Alibaba Cloud', '100.100.100.200'],
    ['multicast', '224.0.0.251'],
    ['broadcast', '255.255.255.255'],
    ['loopback in IPv6', '::1'],
    ['unspecified in IPv6', '::'],
    ['unique local', 'fd00:ec2::254'],
    ['link-local in IPv6', 'fe80::1'],
    ['link-local in IPv6 with a zone', 'fe80::1%eth0'],
    ['multicast in IPv6', 'ff02::1'],
    ['loopback, mapped', '::ffff:127.0.0.1'],
    ['the metadata service, mapped, in hexadecimal', '::ffff:a9fe:a9fe'],
    ['a private network through NAT64', '64:ff9b::10.0.0.1'],
    ['loopback, IPv4-compatible', '::127.0.0.1'],
    ['loopback through 6to4', '2002:7f00:1::'],
  ])('is true for %s: %s', (_, address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '128.0.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ])('is false for the public address %s', (address) => {
    expect(isPrivateAddress(address)).toBe(false)
  })
})
