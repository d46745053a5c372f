/** What the transport knows of the one who asks. */
export interface Client {
  /** On this machine: may use shared memory. */
  readonly isLocal: boolean;
  /** When it stops waiting, on the clock of `performance.now()`. */
  readonly deadlineMs?: number | undefined;
  readonly traceparent?: string | undefined;
}

/** Whether a socket's peer is this machine; a Unix socket has no address. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined || address === "::1") return true;
  return address.startsWith("127.") || address.startsWith("::ffff:127.");
}
