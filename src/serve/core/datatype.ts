/** Element types by the names of the KServe protocol. */
export type Datatype =
  | "BOOL"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "FP16"
  | "FP32"
  | "FP64"
  | "BF16"
  | "BYTES";

/** Bytes of one element; 0 for BYTES, whose elements say their own length. */
export const datatypeBytes: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BF16: 2,
  BYTES: 0,
};

/** Whether a name from the wire is a datatype. */
export function isDatatype(name: string): name is Datatype {
  return Object.hasOwn(datatypeBytes, name);
}

/** `TYPE_FP32` of a model's config for `FP32` of the wire; BYTES is `TYPE_STRING` there. */
export function configDatatype(datatype: Datatype): string {
  return datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`;
}

/** The reverse of `configDatatype`; undefined for a name that is none. */
export function datatypeOfConfig(name: string): Datatype | undefined {
  const datatype = name === "TYPE_STRING" ? "BYTES" : name.replace(/^TYPE_/, "");
  return name.startsWith("TYPE_") && isDatatype(datatype) ? datatype : undefined;
}
