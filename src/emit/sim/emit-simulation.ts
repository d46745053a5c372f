import type { Design } from "../../design/index.ts";
import { renderTemplate } from "../template.ts";

/** View of `sim/main.cpp.hbs` and `sim/icarus_tb.sv.hbs`. */
export interface SimulationView {
  readonly network: string;
  readonly generator: string;
  readonly top: string;
  readonly inputBeats: string;
  readonly inputBytes: string;
  readonly inputBits: string;
  readonly outputBeats: string;
  readonly outputBytes: string;
  readonly outputBits: string;
}

/** What simulators need besides the Verilog itself, by path inside the bundle. */
export function emitSimulation(
  { name, top, input, output }: Pick<Design, "name" | "top" | "input" | "output">,
  generator: string,
): ReadonlyMap<string, string> {
  const view: SimulationView = {
    network: name,
    generator,
    top,
    inputBeats: String(input.beats),
    inputBytes: String(input.beatBytes),
    inputBits: String(input.beatBytes * 8),
    outputBeats: String(output.beats),
    outputBytes: String(output.beatBytes),
    outputBits: String(output.beatBytes * 8),
  };
  return new Map([
    ["sim/main.cpp", renderTemplate("sim/main.cpp.hbs", view)],
    ["sim/icarus_tb.sv", renderTemplate("sim/icarus_tb.sv.hbs", view)],
  ]);
}
