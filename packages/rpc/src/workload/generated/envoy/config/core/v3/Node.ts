// Original file: proto/envoy/config/core/v3/base.proto

import type {
  BuildVersion as _envoy_config_core_v3_BuildVersion,
  BuildVersion__Output as _envoy_config_core_v3_BuildVersion__Output,
} from '../../../../envoy/config/core/v3/BuildVersion.ts'

export interface Node {
  id?: string
  cluster?: string
  userAgentName?: string
  userAgentVersion?: string
  userAgentBuildVersion?: _envoy_config_core_v3_BuildVersion | null
  userAgentVersionType?: 'userAgentVersion' | 'userAgentBuildVersion'
}

export interface Node__Output {
  id: string
  cluster: string
  userAgentName: string
  userAgentVersion?: string
  userAgentBuildVersion?: _envoy_config_core_v3_BuildVersion__Output | null
  userAgentVersionType?: 'userAgentVersion' | 'userAgentBuildVersion'
}
