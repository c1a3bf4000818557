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
  return namesOf(certificate).some(
    (name) =>
      constraints.excluded.some((base) => base.kind === name.kind && MATCHES[name.kind](name, base) !== 'no') ||
      isNotPermitted(
        name,
        constraints.permitted.filter((base) => base.kind === name.kind),
      ),
  )
}

type Match = 'yes' | 'no' | 'unknown'

function isNotPermitted(name: GeneralName, bases: readonly GeneralName[]): boolean {
  return bases.length > 0 && !bases.some((base) => MATCHES[name.kind](name, base) === 'yes')
}

/** The alternative names, and the subject as a directory name. */
function namesOf(certificate: Certificate): GeneralName[] {
  const subject: GeneralName[] = certificate.subject.equals(EMPTY_NAME) ? [] : [{ kind: 'directory', text: '' }]
  return [...certificate.subjectAltNames, ...subject]
}

const unknown = (): Match => 'unknown'

const MATCHES: Record<NameKind, (name: GeneralName, base: GeneralName) => Match> = {
  uri: ({ text }, base) => matchUri(text, base.text.toLowerCase()),
  dns: ({ text }, base) => matchDns(text.toLowerCase(), base.text.toLowerCase()),
  email: unknown,
  directory: unknown,
  ip: unknown,
  other: unknown,
  x400: unknown,
  edi: unknown,
  registeredId: unknown,
}

/** What a URI constraint may be: a host, or the domain behind a dot. A whole URI is none, though it is often written. */
const URI_BASE = /^\.?[a-z0-9_-][a-z0-9._-]*$/

/** A host matches itself; a base with a leading dot matches the hosts below it. */
function matchUri(uri: string, base: string): Match {
  if (!URI_BASE.test(base)) return 'unknown'
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^:/?#]+)/i.exec(uri)?.[1]?.toLowerCase()
  if (host === undefined) return 'unknown'
  return (base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base) ? 'yes' : 'no'
}

/** A name may end with the dot of the root, and is the same name. */
function matchDns(given: string, base: string): Match {
  const name = given.replace(/\.$/, '')
  const below = base.startsWith('.') ? base : `.${base}`
  return base === '' || name === base || (name.endsWith(below) && name.length > below.length) ? 'yes' : 'no'
}
