import { createWatch, type Clock, type Watch } from '@picket/runtime'

/** A thousand acknowledgements of one push are a few changes, not a thousand. */
const TICK_MS = 20

export function createTicker(
  clock: Pick<Clock, 'after'>,
): Disposable & { readonly changed: Watch<number>; tick(): void } {
  const changed = createWatch(0)
  let timer: Disposable | undefined
  return {
    changed,
    tick() {
      timer ??= clock.after(TICK_MS, () => {
        timer = undefined
        changed.set(changed.value + 1)
      })
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}
