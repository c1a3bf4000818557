import type { RequestHead } from '@picket/http'

/** A head of any bytes, also such as http refuses: what policy does with bytes must not hang on another package. */
export class RawHead implements RequestHead {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly target: string
  readonly version: '1.0' | '1.1'
  readonly bytes: Buffer
  readonly methodStart = 2
  readonly methodEnd: number
  readonly pathStart: number
  readonly pathEnd: number
  readonly queryStart: number
  readonly queryEnd: number
  readonly offsets: Uint32Array
  readonly #headers: readonly (readonly [string, string])[]

  constructor(
    method: string,
    path: string,
    query: string | undefined,
    headers: readonly (readonly [string, string])[],
    version: '1.0' | '1.1' = '1.1',
  ) {
    this.#headers = headers
    this.method = method
    this.path = path
    this.query = query ?? ''
    this.target = query === undefined ? path : `${path}?${query}`
    this.version = version
    this.methodEnd = this.methodStart + method.length
    this.pathStart = this.methodEnd + 1
    this.pathEnd = this.pathStart + path.length
    this.queryEnd = this.pathStart + this.target.length
    this.queryStart = this.queryEnd - this.query.length
    // The head starts somewhere, as in a connection's buffer; what stands between the parts is of no concern here.
    const text = `XX${method} ${this.target}${headers.flat().join('')}`
    this.bytes = Buffer.from(text, 'latin1')
    let end = this.queryEnd
    this.offsets = Uint32Array.from(headers.flat().flatMap((part) => [end, (end += part.length)]))
  }

  get headerCount(): number {
    return this.#headers.length
  }

  get hostStart(): number {
    return this.offsets[4 * this.indexOf('host') + 2] ?? 0
  }

  get hostEnd(): number {
    return this.offsets[4 * this.indexOf('host') + 3] ?? 0
  }

  get host(): string {
    return this.bytes.toString('latin1', this.hostStart, this.hostEnd)
  }

  indexOf(name: string, from = 0): number {
    return this.#headers.findIndex(([other], index) => index >= from && other === name)
  }

  isShown(): boolean {
    return true
  }

  header(name: string): string | undefined {
    const values = this.#headers.filter(([other]) => other === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }

  headers(): Record<string, string> {
    const names = new Set(this.#headers.map(([name]) => name))
    return Object.fromEntries([...names].map((name) => [name, this.header(name) ?? '']))
  }
}
