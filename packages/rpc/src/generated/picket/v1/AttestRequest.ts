// Original file: proto/picket/v1/certificates.proto

export interface AttestRequest {
  joinToken?: string
  csr?: Buffer | Uint8Array | string
}

export interface AttestRequest__Output {
  joinToken: string
  csr: Buffer
}
