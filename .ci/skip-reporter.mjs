/**
 * A second reporter of the test runs: when everything has run, one line that counts what was skipped and says why, which
 * for a missing program is the command that brings it.
 */
export default async function* reportSkips(events) {
  const reasons = new Map()
  for await (const { type, data } of events) {
    if (type !== 'test:pass' || data.skip === undefined || data.skip === false) continue
    const reason = data.skip === true || data.skip === '' ? 'no reason was given' : data.skip
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const total = [...reasons.values()].reduce((sum, count) => sum + count, 0)
  const parts = [...reasons].map(([reason, count]) => `${count} because ${reason}`)
  if (total > 0) yield `skipped ${total} tests: ${parts.join('; ')}\n`
}
