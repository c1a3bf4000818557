// Original file: proto/envoy/config/core/v3/base.proto

export interface DataSource {
  filename?: string
  inlineBytes?: Buffer | Uint8Array | string
  inlineString?: string
  environmentVariable?: string
  specifier?: 'filename' | 'inlineBytes' | 'inlineString' | 'environmentVariable'
}

export interface DataSource__Output {
  filename?: string
  inlineBytes?: Buffer
  inlineString?: string
  environmentVariable?: string
  specifier?: 'filename' | 'inlineBytes' | 'inlineString' | 'environmentVariable'
}
