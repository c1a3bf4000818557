// Original file: proto/picket/v1/certificates.proto

export interface SignedChallenge {
  chain?: (Buffer | Uint8Array | string)[]
  challenge?: Buffer | Uint8Array | string
  signature?: Buffer | Uint8Array | string
}

export interface SignedChallenge__Output {
  chain: Buffer[]
  challenge: Buffer
  signature: Buffer
}
