// Original file: proto/picket/v1/certificates.proto

export interface IssueRequest {
  csr?: Buffer | Uint8Array | string
}

export interface IssueRequest__Output {
  csr: Buffer
}
