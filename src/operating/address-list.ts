import { BlockList, isIP } from 'node:net'

export interface AddressList {
  has(address: string): boolean
}

/** Addresses and CIDR blocks, IPv4 and IPv6. Throws for an entry that is neither. */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList()
  for (const entry of entries) {
    // Written out, because Number() would read the empty text in 10.0.0.0/ as 0, and so let everybody in.
    const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
    const version = isIP(address)
    if (version === 0 || Number(bits ?? 0) > (version === 6 ? 128 : 32)) {
      throw new Error(`${entry} is neither an address nor a CIDR block`)
    }
    const family = version === 6 ? 'ipv6' : 'ipv4'
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
