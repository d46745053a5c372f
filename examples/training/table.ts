/** Numbers in rows and columns, row after row. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Mean and standard deviation of every column. */
export interface Scaling {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

export function makeTable(rows: number, columns: number): Table {
  return { rows, columns, values: new Float32Array(rows * columns) };
}

/** Fills a table row by row with what `makeRow` returns. */
export function tabulate(
  rows: number,
  columns: number,
  makeRow: (row: number) => readonly number[],
): Table {
  const table = makeTable(rows, columns);
  for (let row = 0; row < rows; row++) table.values.set(makeRow(row), row * columns);
  return table;
}

export function firstRows(table: Table, rows: number): Table {
  return { ...table, rows, values: table.values.slice(0, rows * table.columns) };
}

export function measureScaling({ rows, columns, values }: Table): Scaling {
  const mean = new Array<number>(columns).fill(0);
  const square = new Array<number>(columns).fill(0);
  for (let i = 0; i < values.length; i++) mean[i % columns] += values[i] / rows;
  for (let i = 0; i < values.length; i++) {
    square[i % columns] += (values[i] - mean[i % columns]) ** 2 / rows;
  }
  return { mean, deviation: square.map(Math.sqrt) };
}

/** Every column less its mean, in units of its standard deviation. */
export function standardise(table: Table, { mean, deviation }: Scaling): Table {
  const { columns } = table;
  const values = table.values.map((x, i) => (x - mean[i % columns]) / deviation[i % columns]);
  return { ...table, values };
}
