// Original file: proto/picket/v1/admin.proto

export interface PushPolicyRequest {
  content?: Buffer | Uint8Array | string
}

export interface PushPolicyRequest__Output {
  content: Buffer
}
