import { BlockList, isIP } from 'node:net'

export interface AddressList {
  has(address: string): boolean
}

/** Addresses and CIDR blocks, IPv4 and IPv6. Throws `RangeError` or `TypeError` for an entry that is neither. */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return {
    has(address) {
      const plain = withoutMapping(address)
      const version = isIP(plain)
      return version !== 0 && list.check(plain, version === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

const loopback = addressList(['127.0.0.0/8', '::1'])

export function isLoopback(address: string): boolean {
  return loopback.has(address)
}

/** A dual-stack socket shows 192.0.2.1 as ::ffff:192.0.2.1. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
