const longest = 80;

/** A name from a file, for a message: in quotes, on one line, of bearable length. */
export function quote(name: string): string {
  return JSON.stringify(name.length > longest ? `${name.slice(0, longest)}...` : name);
}
