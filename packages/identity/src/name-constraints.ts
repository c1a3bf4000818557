import type { Certificate } from './certificate.ts'
import { EMPTY_NAME } from './distinguished-name.ts'
import type { GeneralName, NameKind } from './extension-reader.ts'

/**
 * Name constraints (RFC 5280 section 4.2.1.10). URI constraints speak of the host, which in a SPIFFE ID is the trust
 * domain; DNS constraints of the name and everything below it. A constraint on any other kind of name is not evaluated:
 * where the certificate has a name of that kind, it is refused. So is a URI under a constraint that is no host.
 */
export function breaksNameConstraints(certificate: Certificate, issuer: Certificate): boolean {
  const constraints = issuer.nameConstraints
  if (!constraints) return false
  const permitted = constraints.permitted.map(toComparable)
  const excluded = constraints.excluded.map(toComparable)
  return namesOf(certificate).some(
    (name) =>
      excluded.some((base) => base.kind === name.kind && match(name, base) !== 'no') || isNotPermitted(name, permitted),
  )
}

type Match = 'yes' | 'no' | 'unknown'

/** What is compared of a name or a base, made once for many comparisons: undefined where there is nothing to compare. */
interface Comparable {
  readonly kind: NameKind
  readonly text: string | undefined
}

function isNotPermitted(name: Comparable, permitted: readonly Comparable[]): boolean {
  let isConstrained = false
  for (const base of permitted) {
    if (base.kind !== name.kind) continue
    if (match(name, base) === 'yes') return false
    isConstrained = true
  }
  return isConstrained
}

/** The alternative names, and the subject as a directory name. */
function namesOf(certificate: Certificate): Comparable[] {
  const names = certificate.subjectAltNames.map(({ kind, text }) => ({ kind, text: toNamed(kind, text) }))
  return certificate.subject.equals(EMPTY_NAME) ? names : [...names, { kind: 'directory', text: undefined }]
}

const HOST_OF_URI = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^:/?#]+)/i
/** What a URI constraint may be: a host, or the domain behind a dot. A whole URI is none, though it is often written. */
const URI_BASE = /^\.?[a-z0-9_-][a-z0-9._-]*$/

/** The host of a URI; a DNS name, which may end with the dot of the root and is the same name. */
function toNamed(kind: NameKind, text: string): string | undefined {
  if (kind === 'uri') return HOST_OF_URI.exec(text)?.[1]?.toLowerCase()
  return kind === 'dns' ? text.toLowerCase().replace(/\.$/, '') : undefined
}

function toComparable({ kind, text }: GeneralName): Comparable {
  const base = text.toLowerCase()
  if (kind === 'uri') return { kind, text: URI_BASE.test(base) ? base : undefined }
  return { kind, text: kind === 'dns' ? base : undefined }
}

/** Kinds whose comparison is not built have no text here, so that nothing is known of them. */
function match({ kind, text: name }: Comparable, { text: base }: Comparable): Match {
  if (name === undefined || base === undefined) return 'unknown'
  return (kind === 'uri' ? isHostOf(name, base) : isDnsNameOf(name, base)) ? 'yes' : 'no'
}

/** A host matches itself; a base with a leading dot matches the hosts below it. */
function isHostOf(host: string, base: string): boolean {
  return base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base
}

function isDnsNameOf(name: string, base: string): boolean {
  const below = base.startsWith('.') ? base : `.${base}`
  return base === '' || name === base || (name.endsWith(below) && name.length > below.length)
}
