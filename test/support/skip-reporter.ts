import type { TestEvent } from 'node:test/reporters'

/**
 * A second reporter beside the usual one: when everything has run, one line that counts what was skipped and says why,
 * which for a missing program is the command that brings it.
 */
// oxlint-disable-next-line import/no-default-export -- node:test takes a reporter by its default export
export default async function* reportSkips(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const reasons = new Map<string, number>()
  for await (const { type, data } of events) {
    if (type !== 'test:pass' || data.skip === undefined || data.skip === false) continue
    const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given'
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const total = [...reasons.values()].reduce((sum, count) => sum + count, 0)
  const parts = [...reasons].map(([reason, count]) => `${count} because ${reason}`)
  if (total > 0) yield `skipped ${total} tests: ${parts.join('; ')}\n`
}
