import { RpcError } from './rpc-error.ts'

/**
 * The difference between two revisions of a resource, by lines: our resources are written with one record to a line, so
 * that a sidecar which joins a mesh of ten thousand is one line and not a megabyte to each of the others. A delta copies
 * runs of the base's lines and brings the rest: `c FIRST COUNT`, or `i BYTES` and that many bytes. It proves nothing by
 * itself: whoever applies one checks the SHA-256 of the whole.
 */
const HEAD = 'picket-delta 1\n'
/** More than a resource of the largest size has of them in practice; what has more goes out as a whole. */
const MOST_LINES = 2_000_000
const NUMBER = /^\d{1,9}$/

/** Undefined when the delta would not save at least half: the whole is simpler then. */
export function createDelta(base: Buffer, target: Buffer): Buffer | undefined {
  const from = toLines(base)
  const to = toLines(target)
  if (!from || !to) return undefined
  const places = placesOf(from)
  const pieces: string[] = [HEAD]
  let length = HEAD.length
  let brought: string[] = []

  const put = (piece: string): void => {
    pieces.push(piece)
    length += piece.length
  }
  const bring = (): void => {
    const text = brought.join('')
    if (text !== '') put(`i ${text.length}\n${text}`)
    brought = []
  }

  let next = 0
  for (let at = 0; at < to.length;) {
    const first = from[next] === to[at] ? next : placeOf(places, to[at]!, next)
    if (first === undefined) {
      brought.push(to[at++]!)
      continue
    }
    let count = 1
    while (at + count < to.length && first + count < from.length && from[first + count] === to[at + count]) count++
    bring()
    put(`c ${first} ${count}\n`)
    at += count
    next = first + count
    if (length > target.length / 2) return undefined
  }
  bring()
  return length <= target.length / 2 ? Buffer.from(pieces.join(''), 'latin1') : undefined
}

/** Throws `ERR_RPC_INVALID` for what is no delta of this base, and as soon as the result is over `maxBytes`. */
export function applyDelta(base: Buffer, delta: Buffer, maxBytes: number): Buffer {
  const lines = toLines(base)
  if (!lines) throw invalid('its base has too many lines')
  if (!delta.subarray(0, HEAD.length).equals(Buffer.from(HEAD))) throw invalid('it does not begin as one')
  const starts = startsOf(lines)
  const pieces: Buffer[] = []
  let length = 0
  for (let at = HEAD.length; at < delta.length;) {
    const end = delta.indexOf(0x0a, at)
    if (end < 0 || end - at > 32) throw invalid('a step does not end')
    const [step, first, count, ...more] = delta.toString('latin1', at, end).split(' ')
    at = end + 1
    let piece: Buffer
    if (step === 'i' && count === undefined) {
      piece = slice(delta, at, at + toNumber(first))
      at += piece.length
    } else if (step === 'c' && more.length === 0) {
      const line = toNumber(first)
      piece = slice(base, starts[line], starts[line + toNumber(count)])
    } else throw invalid('a step is not known')
    length += piece.length
    if (length > maxBytes) throw invalid('its result is too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length)
}

/** With their ends, one character to a byte. */
function toLines(bytes: Buffer): string[] | undefined {
  const lines = bytes.toString('latin1').split('\n')
  if (lines.length > MOST_LINES) return undefined
  const last = lines.pop()!
  const ended = lines.map((line) => `${line}\n`)
  return last === '' ? ended : [...ended, last]
}

/** Where each line stands, in order. */
function placesOf(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>()
  for (const [at, line] of lines.entries()) {
    const known = places.get(line)
    if (known) known.push(at)
    else places.set(line, [at])
  }
  return places
}

/** The first place of a line from `next` on, else its first: what follows it there may follow here too. */
function placeOf(places: ReadonlyMap<string, readonly number[]>, line: string, next: number): number | undefined {
  const known = places.get(line)
  if (!known) return undefined
  let [low, high] = [0, known.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (known[middle]! < next) low = middle + 1
    else high = middle
  }
  return known[low] ?? known[0]
}

/** Byte offsets of the lines, and of the end. */
function startsOf(lines: readonly string[]): readonly number[] {
  const starts = [0]
  let at = 0
  for (const { length } of lines) starts.push((at += length))
  return starts
}

function toNumber(text: string | undefined): number {
  if (text === undefined || !NUMBER.test(text)) throw invalid('a number is missing')
  return Number(text)
}

function slice(bytes: Buffer, from: number | undefined, to: number | undefined): Buffer {
  if (from === undefined || to === undefined || to <= from || to > bytes.length)
    throw invalid('it points beyond its bytes')
  return bytes.subarray(from, to)
}

function invalid(fault: string): RpcError {
  return new RpcError('ERR_RPC_INVALID', `the delta is refused: ${fault}`)
}
