import type { ResourceChunk, SyncServerStream } from '@picket/rpc'

/** The sending side of one stream: as much as the transport takes, and no queue of its own. */
export interface SyncSender {
  /** There may be something to send. */
  wake(): void
  /** Tells the sidecar to renew, once however often it is asked before that has gone out. */
  rotate(): void
}

/** `nextTransfer` gives the pieces of what the sidecar lacks most, and is asked again only when they have gone out. */
export function createSyncSender(
  stream: SyncServerStream,
  nextTransfer: () => readonly ResourceChunk[] | undefined,
): SyncSender {
  let rotation = false
  let full = false
  let rest: ResourceChunk[] = []

  /** False: there is nothing to send. */
  function sendOne(): boolean {
    if (rotation) {
      rotation = false
      full = !stream.send({ kind: 'rotate-svid' })
      return true
    }
    if (rest.length === 0) rest = [...(nextTransfer() ?? [])]
    const chunk = rest.shift()
    if (!chunk) return false
    full = !stream.send({ kind: 'chunk', chunk })
    return true
  }

  function wake(): void {
    while (!full && sendOne());
  }

  stream.onDrain(() => {
    full = false
    wake()
  })

  return {
    wake,
    rotate() {
      rotation = true
      wake()
    },
  }
}
