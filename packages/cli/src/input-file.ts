import { createReadStream } from 'node:fs'
import { CliError } from './error.ts'

/** A file's bytes, of which there may be `most`: whoever names a file need not have made it. Throws `ERR_INPUT`. */
export async function readFileAtMost(file: string, most: number): Promise<Buffer> {
  return readAtMost(createReadStream(file, { end: most }), most, file)
}

/** The same of any stream of bytes. */
export async function readAtMost(stream: AsyncIterable<Uint8Array>, most: number, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length > most) throw new CliError('ERR_INPUT', `${name} is longer than ${most} bytes`)
  }
  return Buffer.concat(chunks)
}
