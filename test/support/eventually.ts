/** Polls `look` until it gives something; throws after `timeoutMs`. For what reaches a file or a peer a little later. */
export async function eventually<T>(look: () => Promise<T | undefined>, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  do {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  } while (performance.now() < deadline)
  throw new Error(`waited ${timeoutMs} ms in vain`)
}
