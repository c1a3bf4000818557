import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import { messageOf, parseDuration } from '@picket/runtime'
import { InvalidArgumentError } from 'commander'

/** A parser whose complaint becomes a usage error that names the flag or argument. */
export function usage<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (thrown) {
      throw new InvalidArgumentError(messageOf(thrown))
    }
  }
}

/** The same for what may be given several times. */
export function usageList<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  const parseOne = usage(parse)
  return (text, before) => [...(before ?? []), parseOne(text)]
}

/** `TYPE:VALUE`, a fact that attestation can establish. */
export function parseSelector(text: string): string {
  if (!/^[^:\s]+:\S+$/.test(text)) throw new TypeError('Write TYPE:VALUE, such as service:payments.')
  return text
}

/** `1h` → 3600; whole seconds, at least one. */
export function parseTtlSeconds(text: string): number {
  const ttlMs = parseDuration(text)
  if (ttlMs === 0 || ttlMs % 1000 !== 0) throw new TypeError('Write whole seconds, such as 90s, 10m or 1h.')
  return ttlMs / 1000
}

/** A share from 0 to 100. */
export function parsePercent(text: string): number {
  if (!/^\d{1,3}(\.\d+)?$/.test(text) || Number(text) > 100) throw new TypeError('Write a number from 0 to 100.')
  return Number(text)
}

/** A SPIFFE ID as people type it: in full, without `spiffe://`, as a path, or as a service's name. */
export function parseIdArgument(text: string, trustDomain: TrustDomain): SpiffeId {
  if (text.includes('://')) return parseSpiffeId(text)
  if (text.startsWith('/')) return parseSpiffeId(`${trustDomain.id}${text}`)
  return parseSpiffeId(text.includes('/') ? `spiffe://${text}` : `${trustDomain.id}/${text}`)
}
