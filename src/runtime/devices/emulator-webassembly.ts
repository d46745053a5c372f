/**
 * The part of the WebAssembly API that the emulator uses. TypeScript declares it only together with the
 * whole of a browser's, which a server does not have.
 *
 * @see https://webassembly.github.io/spec/js-api/
 */
export interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly WasmName[];
    exports(module: WasmModule): readonly WasmName[];
  };
  readonly Instance: new (module: WasmModule) => { readonly exports: unknown };
}

export interface WasmName {
  readonly name: string;
  readonly kind: "function" | "global" | "memory" | "table";
}

/** Compiled code. It can be sent to a worker, which need not compile it again. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

export const webAssembly: WebAssemblyApi = (
  globalThis as unknown as { WebAssembly: WebAssemblyApi }
).WebAssembly;
