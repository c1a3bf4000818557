import { PicketError } from '@picket/runtime'

/** ERR_HTTP_INVALID_HEADER: an own answer with a header that cannot be sent. ERR_HTTP_INVALID_NAME: not a header name. */
export type HttpErrorCode = 'ERR_HTTP_INVALID_HEADER' | 'ERR_HTTP_INVALID_NAME'

/** A broken promise of a caller of this package. What peers send wrongly is never thrown: it is an `HttpRefusal`. */
export class HttpError extends PicketError {
  readonly code: HttpErrorCode

  constructor(code: HttpErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
