import { parseDuration, parseHostPort, type SettingsTable } from '@picket/runtime'
import { parseJwtIssuer } from './oidc.ts'

/** How this trust domain's bundle is published, and how those of others are fetched. */
export const federationSettings = {
  bundleEndpoint: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'publish the SPIFFE bundle at https://HOST:PORT/, such as 0.0.0.0:7403; off unless given',
  },
  bundleEndpointProfile: {
    parse: parseProfile,
    default: 'https_spiffe',
    placeholder: 'https_spiffe|https_web',
    doc: 'what the endpoint proves itself with: its SVID (TRUST_DOMAIN/picket/control-plane), or a web certificate',
  },
  bundleEndpointCertificate: {
    parse: parseFile,
    optional: true,
    placeholder: 'FILE',
    doc: 'https_web: certificate chain, PEM; read again when it changes',
  },
  bundleEndpointKey: {
    parse: parseFile,
    optional: true,
    placeholder: 'FILE',
    doc: 'https_web: key of the certificate, PEM',
  },
  jwtIssuer: {
    parse: parseJwtIssuer,
    optional: true,
    placeholder: 'URL',
    doc: '"iss" of JWT-SVIDs, https; the bundle endpoint then serves OpenID Connect discovery for it',
  },
  federationWebCa: {
    parse: parseFile,
    optional: true,
    placeholder: 'FILE',
    doc: 'https_web: authorities, PEM, that may vouch for bundle endpoints beside those of the public web',
  },
  federationMinPoll: {
    parse: parsePoll,
    default: '1m',
    placeholder: 'DURATION',
    doc: 'a bundle is fetched no more often than this, whatever refresh hint it has',
  },
  federationRedirects: {
    parse: parseRedirects,
    default: 'follow',
    placeholder: 'follow|refuse',
    doc: 'redirects of bundle endpoints; each target must prove itself as the endpoint itself must',
  },
} as const satisfies SettingsTable

function parseProfile(text: string): 'https_spiffe' | 'https_web' {
  if (text !== 'https_spiffe' && text !== 'https_web') throw new TypeError('write https_spiffe or https_web')
  return text
}

function parseRedirects(text: string): 'follow' | 'refuse' {
  if (text !== 'follow' && text !== 'refuse') throw new TypeError('write follow or refuse')
  return text
}

function parseFile(text: string): string {
  if (text === '' || text.includes('\0')) throw new TypeError('the path is empty or holds a NUL')
  return text
}

function parsePoll(text: string): number {
  const pollMs = parseDuration(text)
  if (pollMs < 100 || pollMs > 86_400_000) throw new TypeError(`"${text}" is not between 100ms and 24h`)
  return pollMs
}
