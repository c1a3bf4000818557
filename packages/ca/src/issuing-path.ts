import type { Certificate } from '@picket/identity'

/**
 * From an authority up to the root above it, the root last, by names and signatures alone; undefined when there is no such
 * path. Whether peers accept what is issued at its lower end is `faultOfSample`'s question.
 */
export function findIssuingPath(
  [first, ...others]: readonly Certificate[],
  roots: readonly Certificate[],
): readonly Certificate[] | undefined {
  let path = [first!]
  while (path.length <= others.length + 1) {
    const last = path.at(-1)!
    const root = roots.find((candidate) => hasIssued(candidate, last))
    if (root) return root.der.equals(last.der) ? path : [...path, root]
    const issuer = others.find((candidate) => !path.includes(candidate) && hasIssued(candidate, last))
    if (!issuer) return undefined
    path = [...path, issuer]
  }
  return undefined
}

function hasIssued(issuer: Certificate, certificate: Certificate): boolean {
  if (!issuer.subject.equals(certificate.issuer)) return false
  try {
    return certificate.isSignedWith(issuer.publicKey)
  } catch {
    return false
  }
}
