import type { BundleSource, Certificate, X509Svid } from '@picket/identity'
import { formatHostPort, toJson, type AdminRoutes, type HostPort, type Metrics, type Watch } from '@picket/runtime'
import type { SidecarInputs } from './inputs.ts'
import type { ReadinessReason } from './readiness.ts'
import type { SidecarSettings } from './settings.ts'

export interface AdminSubjects {
  readonly settings: SidecarSettings
  readonly metrics: Metrics
  readonly readiness: Watch<readonly ReadinessReason[]>
  /** Brings readiness up to date before it is told. */
  readonly refresh: () => Promise<unknown>
  /** Undefined until there is an identity. */
  readonly identity: Watch<Pick<SidecarInputs, 'svid' | 'bundles'> | undefined>
}

/** Liveness says that the process turns; readiness says whether calls may be sent to it, and if not, why. */
export function createAdminRoutes({ settings, metrics, readiness, refresh, identity }: AdminSubjects): AdminRoutes {
  return {
    '/live': () => toJson(200, { live: true }),
    '/ready': async () => {
      await refresh()
      const reasons = readiness.value
      return toJson(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
    },
    '/metrics': () => ({
      status: 200,
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      body: metrics.render(),
    }),
    '/certs': () => {
      const held = identity.value
      return toJson(200, held ? showIdentity(held.svid.value, held.bundles.value) : { svid: null, trustBundle: null })
    },
    '/config': () => toJson(200, showSettings(settings)),
  }
}

function showIdentity(svid: X509Svid, bundles: BundleSource): object {
  const bundle = bundles.bundleFor(svid.id.trustDomain)
  return {
    svid: { spiffeId: svid.id.uri, chain: svid.chain.map(showCertificate) },
    trustBundle: bundle
      ? {
          trustDomain: bundle.trustDomain.name,
          sequence: String(bundle.sequence),
          authorities: bundle.x509Authorities.map(showCertificate),
        }
      : null,
  }
}

function showCertificate({ serialNumber, notBefore, notAfter, fingerprintSha256 }: Certificate): object {
  return { serialNumber, notBefore, notAfter, fingerprintSha256 }
}

/** The settings as one would write them; secrets redact themselves. */
export function showSettings(settings: SidecarSettings): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, show(value)]))
}

function show(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(show)
  if (typeof value !== 'object' || value === null) return value
  if ('toJSON' in value) return value
  if ('host' in value && 'port' in value) return formatHostPort(value as HostPort)
  if ('uri' in value) return value.uri
  if ('name' in value) return value.name
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, show(member)]))
}
