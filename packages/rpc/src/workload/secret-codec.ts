import { createHash } from 'node:crypto'
import { encoderOf } from './definitions.ts'
import type { SPIFFECertValidatorConfig } from './generated/envoy/extensions/transport_sockets/tls/v3/SPIFFECertValidatorConfig.ts'
import type { Secret } from './generated/envoy/extensions/transport_sockets/tls/v3/Secret.ts'
import type { SecretState } from './messages.ts'

const TLS = 'envoy.extensions.transport_sockets.tls.v3'
export const SECRET_TYPE = `type.googleapis.com/${TLS}.Secret`

/** A secret as Envoy reads it. The version is made of the content, so that it outlives connections and restarts. */
export interface EncodedSecret {
  readonly name: string
  readonly version: string
  readonly any: { readonly type_url: string; readonly value: Buffer }
}

export function encodeCertificate(
  name: string,
  { chain, key }: { readonly chain: string; readonly key: string },
): EncodedSecret {
  return encodeSecret({ name, tlsCertificate: { certificateChain: inline(chain), privateKey: inline(key) } })
}

/** Plain authorities: whoever they certify is let in, so the Envoy's configuration must say which SPIFFE IDs it accepts. */
export function encodeAuthorities(name: string, authorities: string): EncodedSecret {
  return encodeSecret({ name, validationContext: { trustedCa: inline(authorities) } })
}

/** Authorities by trust domain, for Envoy's SPIFFE validator: bundles are never pooled (rule 49). */
export function encodeSpiffeAuthorities(name: string, bundles: SecretState['bundles']): EncodedSecret {
  const config: SPIFFECertValidatorConfig = {
    trustDomains: bundles.map(({ trustDomain, authorities }) => ({
      name: trustDomain.slice('spiffe://'.length),
      trustBundle: inline(authorities),
    })),
  }
  const encodeConfig = encoderOf<SPIFFECertValidatorConfig>(`${TLS}.SPIFFECertValidatorConfig`)
  const typedConfig = { type_url: `type.googleapis.com/${TLS}.SPIFFECertValidatorConfig`, value: encodeConfig(config) }
  const customValidatorConfig = { name: 'envoy.tls.cert_validator.spiffe', typedConfig }
  return encodeSecret({ name, validationContext: { customValidatorConfig } })
}

/** One version for a list, in its order. */
export function versionOf(secrets: readonly EncodedSecret[]): string {
  const hash = createHash('sha256')
  for (const { name, version } of secrets) hash.update(`${JSON.stringify(name)} ${version}\n`)
  return hash.digest('hex').slice(0, VERSION_DIGITS)
}

const VERSION_DIGITS = 32

function encodeSecret(secret: Secret & { readonly name: string }): EncodedSecret {
  const value = encoderOf<Secret>(`${TLS}.Secret`)(secret)
  const version = createHash('sha256').update(value).digest('hex').slice(0, VERSION_DIGITS)
  return { name: secret.name, version, any: { type_url: SECRET_TYPE, value } }
}

function inline(pem: string): { readonly inlineBytes: Buffer } {
  return { inlineBytes: Buffer.from(pem) }
}
