/** The few members of `WebAssembly` that are used here: the compiler's library has them only together with the DOM. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string
}

export interface WasmMember {
  readonly name: string
  readonly kind: string
}

interface WebAssemblyNamespace {
  compile(this: void, bytes: Uint8Array): Promise<WasmModule>
  readonly Module: {
    exports(module: WasmModule): readonly WasmMember[]
  }
}

export const { compile: compileModule, Module } = (globalThis as unknown as { WebAssembly: WebAssemblyNamespace })
  .WebAssembly
