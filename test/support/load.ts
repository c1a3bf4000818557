import type { MeshResponse } from './mesh.ts'

export interface LoadResult {
  readonly answered: number
  /** Status → how often, for everything that was not expected. */
  readonly unexpected: Readonly<Record<string, number>>
}

/** Calls `call` from `callers` loops until `during` is over, counting answers whose status is not `expected`. */
export async function underLoad(
  call: () => Promise<MeshResponse>,
  during: () => Promise<void>,
  { callers = 8, expected = 200 } = {},
): Promise<LoadResult> {
  let over = false
  let answered = 0
  const unexpected: Record<string, number> = {}
  const loops = Array.from({ length: callers }, async () => {
    while (!over) {
      const { status, body } = await call()
      answered += 1
      if (status !== expected) {
        const what = `${status} ${body.slice(0, 120)}`
        unexpected[what] = (unexpected[what] ?? 0) + 1
      }
    }
  })
  try {
    await during()
  } finally {
    over = true
    await Promise.all(loops)
  }
  return { answered, unexpected }
}
