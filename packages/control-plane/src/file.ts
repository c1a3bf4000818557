import { open } from 'node:fs/promises'

/** A whole file, when it is not larger than that. */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const buffer = Buffer.alloc(maxBytes + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    length += bytesRead
    if (length > maxBytes) throw new TypeError(`it is larger than ${maxBytes} bytes`)
    if (bytesRead === 0) return buffer.subarray(0, length)
  }
}
