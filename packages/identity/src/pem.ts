import { IdentityError } from './error.ts'

/** A mebibyte holds more than a thousand certificates. */
const MAX_PEM_CHARACTERS = 1024 * 1024

/**
 * The contents of each `label` block in order (RFC 7468, lines of base64). Text around blocks and blocks with other
 * labels are passed over. Throws `ERR_PEM`: too long, no such block, a block without its end, or characters that are
 * not base64.
 */
export function decodePem(text: string, label: string): Buffer[] {
  if (text.length > MAX_PEM_CHARACTERS) throw new IdentityError('ERR_PEM', 'the PEM text is longer than 1 MiB')
  const begin = `-----BEGIN ${label}-----`
  const end = `-----END ${label}-----`
  const blocks: Buffer[] = []
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const bodyAt = at + begin.length
    const endAt = text.indexOf(end, bodyAt)
    if (endAt < 0) throw new IdentityError('ERR_PEM', `a ${label} block has no end line`)
    blocks.push(decodeBase64(text.slice(bodyAt, endAt).replace(/[\r\n\t ]/g, ''), `a ${label} block`))
    at = endAt + end.length
  }
  if (blocks.length === 0) throw new IdentityError('ERR_PEM', `there is no ${label} block in the text`)
  return blocks
}

/** RFC 7468 with 64 characters a line and a final newline. */
export function encodePem(der: Uint8Array, label: string): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

/** Standard base64 with padding (RFC 4648 section 4), nothing else: `Buffer.from` alone skips what it does not know. */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (text === '' || bytes.toString('base64') !== text) throw new IdentityError('ERR_PEM', `${what} is not base64`)
  return bytes
}
