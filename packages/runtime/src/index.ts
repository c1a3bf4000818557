export { formatHostPort, isLoopback, parseHostPort, type HostPort } from './address.ts'
export { startAdmin, toJson, toText, type AdminAnswer, type AdminListener, type AdminRoutes } from './admin-listener.ts'
export { writeFileAtomic } from './atomic-file.ts'
export { backoffMs, type BackoffLimits } from './backoff.ts'
export { sleepUnlessAborted, systemClock, type Clock } from './clock.ts'
export { createDrain, type Drain } from './drain.ts'
export { formatDuration, parseDuration } from './duration.ts'
export { codeOf, messageOf, PicketError } from './error.ts'
export { Secret, silentLogger, type LogFields, type Logger, type LogValue } from './logger.ts'
export {
  createMetrics,
  DURATION_BOUNDS_SECONDS,
  type Counter,
  type Gauge,
  type Histogram,
  type MetricLabels,
  type Metrics,
} from './metrics.ts'
export { jitter, systemRandom, type Random } from './random.ts'
export { RuntimeError, type RuntimeErrorCode } from './runtime-error.ts'
export {
  deriveSealKey,
  generateSealKeyText,
  parseSealKey,
  readSealedFile,
  seal,
  unseal,
  writeSealedFile,
  type SealKey,
} from './sealed-file.ts'
export {
  environmentOf,
  flagOf,
  nearestName,
  resolveSettings,
  type RawSetting,
  type Setting,
  type SettingsOf,
  type SettingsTable,
} from './settings.ts'
export { createTasks, type Tasks } from './tasks.ts'
export { createTurns } from './turns.ts'
export { createWatch, watchUntil, type Watch, type WatchSource } from './watch.ts'
