import { parseKeyExchangeProfile } from '@picket/mtls'
import { parseDuration, type SettingsTable } from '@picket/runtime'

/** How authorities are made and rotated, and how peers agree on their keys. */
export const authoritySettings = {
  authorityTtl: {
    parse: parseAuthorityTtl,
    default: '30d',
    placeholder: 'DURATION',
    doc: 'life of the authorities made from now on; prepared at half of it, used at five sixths',
  },
  rotationQuorum: {
    parse: parseQuorum,
    default: '100',
    placeholder: 'PERCENT',
    doc: 'share of the connected sidecars that must know a new authority before it is used',
  },
  rotationDeadline: {
    parse: parseDeadline,
    optional: true,
    placeholder: 'DURATION',
    doc: 'how long a step of a rotation waits for sidecars before it goes on without them; default for ever',
  },
  upstreamCertificate: {
    parse: String,
    optional: true,
    placeholder: 'FILE',
    doc: 'PEM certificate of an authority outside Picket that issues ours, then what leads from it to a root',
  },
  upstreamKey: {
    parse: String,
    optional: true,
    placeholder: 'FILE',
    doc: 'PEM key of upstreamCertificate',
  },
  upstreamBundle: {
    parse: String,
    optional: true,
    placeholder: 'FILE',
    doc: 'PEM roots above upstreamCertificate: they become the trust bundle',
  },
  keyExchange: {
    parse: parseKeyExchangeProfile,
    default: 'hybrid-preferred',
    placeholder: 'classical|hybrid-preferred|hybrid-required',
    doc: 'groups of TLS key exchange, elliptic curves alone or joined with ML-KEM',
  },
} as const satisfies SettingsTable

function parseAuthorityTtl(text: string): number {
  const ttlMs = parseDuration(text)
  if (ttlMs < 30_000 || ttlMs > 3650 * 86_400_000) throw new TypeError(`"${text}" is not between 30s and 3650d`)
  return ttlMs
}

/** `95` or `95%` → 0.95. */
function parseQuorum(text: string): number {
  const percent = /^(\d{1,3})%?$/.exec(text)?.[1]
  const share = Number(percent) / 100
  if (!(share >= 0.01 && share <= 1)) throw new TypeError(`"${text}" is not a share from 1 to 100 per cent`)
  return share
}

function parseDeadline(text: string): number {
  const deadlineMs = parseDuration(text)
  if (deadlineMs < 1000 || deadlineMs > 90 * 86_400_000) throw new TypeError(`"${text}" is not between 1s and 90d`)
  return deadlineMs
}
