/**
 * How long a message's body is and whether the connection survives it, read from the fields that decide it (RFC 9112 §6).
 * This is where request smuggling is stopped: two lengths, or a length and a coding, are refused and never repaired.
 */
import { contentLengthOf, isChunked, readConnection, type ConnectionOptions } from './field-values.ts'
import type { HeaderFields } from './header-fields.ts'
import { hashHeaderName } from './header-name-set.ts'
import { CONNECTION, CONTENT_LENGTH, LAST_HOP_BY_HOP, NOMINATED, OTHER, TRANSFER_ENCODING } from './known-headers.ts'
import { equalsIgnoringCase } from './octets.ts'
import type { HttpRefusalCode } from './refusal.ts'

export class MessageFraming implements ConnectionOptions {
  /** -1 when there is no content-length. */
  contentLength = -1
  chunked = false
  close = false
  keepAlive = false
  readonly nominated: string[] = []

  /** Reads all framing fields; hides fields that Connection nominates. Returns what is wrong, if anything is. */
  read(bytes: Buffer, fields: HeaderFields, minorVersion: number): HttpRefusalCode | undefined {
    this.contentLength = -1
    this.chunked = this.close = this.keepAlive = false
    this.nominated.length = 0
    for (let i = 0; i < fields.count; i++) {
      const id = fields.ids[i]!
      if (id === OTHER) continue
      const start = fields.offsets[4 * i + 2]!
      const end = fields.offsets[4 * i + 3]!
      if (id === CONTENT_LENGTH) {
        if (this.contentLength >= 0) return 'duplicate_content_length'
        this.contentLength = contentLengthOf(bytes, start, end)
        if (this.contentLength < 0) return 'invalid_content_length'
      } else if (id === TRANSFER_ENCODING) {
        if (this.chunked || minorVersion === 0 || !isChunked(bytes, start, end)) return 'invalid_transfer_encoding'
        this.chunked = true
      } else if (id === CONNECTION) {
        if (!readConnection(bytes, start, end, this)) return 'invalid_connection'
      }
    }
    if (this.chunked && this.contentLength >= 0) return 'conflicting_framing'
    return this.nominated.length === 0 ? undefined : this.#hideNominated(bytes, fields)
  }

  /** A field that is removed for this hop must not be decided upon either; one that frames or routes cannot be removed. */
  #hideNominated(bytes: Buffer, fields: HeaderFields): HttpRefusalCode | undefined {
    for (const name of this.nominated) {
      const hash = hashHeaderName(name)
      const spelled = Buffer.from(name, 'latin1')
      for (let i = 0; i < fields.count; i++) {
        const start = fields.offsets[4 * i]!
        if (fields.hashes[i] !== hash || fields.offsets[4 * i + 1]! - start !== spelled.length) continue
        if (!equalsIgnoringCase(bytes, start, spelled)) continue
        if (fields.ids[i]! > LAST_HOP_BY_HOP) return 'invalid_connection'
        fields.ids[i] = NOMINATED
      }
    }
    return undefined
  }
}
