/** One registered region. */
export interface SharedMemoryRegion {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byteSize: number;
}

/** Regions of POSIX shared memory that clients on this machine put tensors in. */
export interface SharedMemoryRegistry {
  /** False unless the operator allowed it; all but `status` and `unregister` then throw UNSUPPORTED. */
  readonly isEnabled: boolean;
  /** @throws ServeError ALREADY_EXISTS, INTERNAL "Unable to open shared memory region: '/key'", INVALID_ARG */
  register(region: SharedMemoryRegion): void;
  /** "" unregisters all. An unknown name is no error. */
  unregister(name: string): void;
  /** "" for all. @throws ServeError NOT_FOUND */
  status(name: string): readonly SharedMemoryRegion[];
  /** Copies bytes of a region into an opened input. @throws ServeError for a range outside */
  read(name: string, offset: number, into: Uint8Array): void;
  /** Copies an output into a region, which has `byteSize` bytes for it. @throws ServeError */
  write(name: string, offset: number, byteSize: number, output: string, bytes: Uint8Array): void;
}
