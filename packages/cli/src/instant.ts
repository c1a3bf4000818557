const INSTANT = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/

/** `2026-11-26T02:15:00Z`: RFC 3339 with its offset, since the reader's own time zone must not change a verdict. */
export function parseInstant(text: string): Date {
  const [, year, month, day] = INSTANT.exec(text) ?? []
  const instant = new Date(text)
  if (year === undefined || Number.isNaN(instant.getTime()) || !isDay(Number(year), Number(month), Number(day))) {
    throw new TypeError('Write an instant with its offset, such as 2026-11-26T02:15:00Z.')
  }
  return instant
}

/** JavaScript takes 31 February for 3 March. */
function isDay(year: number, month: number, day: number): boolean {
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}
