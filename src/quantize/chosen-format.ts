import { type Graph, type Origin, originText, type ValueId } from "../ir/index.ts";

/** Something that the model gives no format, nor the user: it has one that is chosen here, by its width. */
export interface ChosenFormat {
  readonly value: ValueId;
  readonly origin: Origin;
  readonly widthBits: number;
  readonly of: "input" | "value" | "weights";
}

/** What says which integers a model computes with. */
const quantizations = new Set(["quantize", "multi_threshold", "code_table"]);

/** Whether a model brings formats of its own. */
export function isQuantizedModel({ values }: Graph): boolean {
  return [...values.values()].some((value) => value.kind === "op" && quantizations.has(value.op));
}

/** Places that are told; of the others their number. */
const mostPlaces = 5;

/** That parts of a quantized model are not quantized, and where; nothing where all is. */
export function partlyQuantized(chosen: readonly ChosenFormat[]): string | undefined {
  const places = [...new Set(chosen.map(({ origin }) => originText(origin)))];
  if (places.length === 0) return undefined;
  const widths = [...new Set(chosen.map(({ widthBits }) => widthBits))].sort((a, b) => a - b);
  const more = places.length - mostPlaces;
  const told = places.slice(0, mostPlaces).join(", ") + (more > 0 ? ` and ${more} more` : "");
  return `the model is quantized, but not all of it: ${told} got ${widths.join(" or ")} bits by calibration, so results are not its own to the code; quantize these layers too, or give their formats in a configuration`;
}
