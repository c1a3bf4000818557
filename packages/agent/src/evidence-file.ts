import { open } from 'node:fs/promises'

/** The text of a file, when it is not larger than that. */
export async function readEvidenceFile(path: string, maxBytes: number): Promise<string> {
  await using handle = await open(path, 'r')
  const buffer = Buffer.alloc(maxBytes + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
    length += bytesRead
    if (length > maxBytes) throw new TypeError(`it is larger than ${maxBytes} bytes`)
    if (bytesRead === 0) return buffer.toString('utf8', 0, length)
  }
}
