/** What a command may print: tables and lines on stdout, or one JSON document; progress on stderr. */
export class Output {
  readonly #isJson: boolean;
  readonly #isTerminal = process.stderr.isTTY === true;
  #step = "";
  #started = performance.now();

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  /** The document of `--json`; nothing else goes to stdout then. */
  document(value: unknown): void {
    if (this.#isJson) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  line(text = ""): void {
    if (!this.#isJson) process.stdout.write(`${text}\n`);
  }

  /** Names and values, aligned. */
  pairs(pairs: readonly (readonly [string, string])[]): void {
    const width = Math.max(...pairs.map(([name]) => name.length));
    for (const [name, value] of pairs) this.line(`  ${name.padEnd(width)}  ${value}`);
  }

  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const widths = columns.map(({ title }, i) =>
      Math.max(title.length, ...rows.map((row) => row[i].length)),
    );
    const print = (cells: readonly string[]) => {
      const padded = cells.map((cell, i) =>
        columns[i].isNumber ? cell.padStart(widths[i]) : cell.padEnd(widths[i]),
      );
      this.line(`  ${padded.join("  ").trimEnd()}`);
    };
    print(columns.map(({ title }) => title));
    print(widths.map((width) => "-".repeat(width)));
    for (const row of rows) print(row);
  }

  /** Says what is being done. On a terminal one line that changes, elsewhere a line for each step. */
  progress(step: string): void {
    if (this.#isTerminal) process.stderr.write(`\r\x1b[2K${step} ...`);
    else if (step !== this.#step) process.stderr.write(`${this.#elapsed()} ${step}\n`);
    this.#step = step;
  }

  /** Ends the progress line. */
  done(): void {
    if (this.#isTerminal && this.#step !== "") process.stderr.write("\r\x1b[2K");
    this.#step = "";
  }

  /** What depends on the machine and the moment: not for stdout, which is the same every time. */
  note(text: string): void {
    this.done();
    if (!this.#isJson) process.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.done();
    process.stderr.write(`warning: ${text}\n`);
  }

  #elapsed(): string {
    return `[${((performance.now() - this.#started) / 1000).toFixed(1).padStart(6)} s]`;
  }
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** A number with three significant digits, as people write it. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

export function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(2)} %`;
}

export function decibel(value: number | null): string {
  return value === null ? "-" : `${value.toFixed(1)} dB`;
}
