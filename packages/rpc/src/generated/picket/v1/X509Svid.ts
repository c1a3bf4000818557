// Original file: proto/picket/v1/certificates.proto

export interface X509Svid {
  spiffeId?: string
  chain?: (Buffer | Uint8Array | string)[]
}

export interface X509Svid__Output {
  spiffeId: string
  chain: Buffer[]
}
