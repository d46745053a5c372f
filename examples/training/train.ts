import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { initializers, layers, type Sequential, sequential } from "@tensorflow/tfjs-layers";
import { Random } from "../../src/base/index.ts";
import type { DenseLayer } from "./onnx-writer.ts";
import { makeTable, type Table } from "./table.ts";

export interface LayerPlan {
  readonly units: number;
  readonly activation: DenseLayer["activation"];
}

export interface TrainingPlan {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Adam's learning rate at the start; it falls to zero along half a cosine. */
  readonly learningRate: number;
  readonly loss: "categoricalCrossentropy" | "meanSquaredError";
}

/** A chain of dense layers named dense_1, dense_2, ... with seeded starting weights. */
export function buildMlp(inputs: number, plan: readonly LayerPlan[], seed: number): Sequential {
  const model = sequential();
  plan.forEach(({ units, activation }, i) => {
    model.add(
      layers.dense({
        name: `dense_${i + 1}`,
        units,
        activation,
        kernelInitializer: initializers.heNormal({ seed: seed + i }),
        ...(i === 0 && { inputShape: [inputs] }),
      }),
    );
  });
  return model;
}

/**
 * Trains with Adam. The order of the rows comes from the plan's seed: the same plan, starting
 * weights and data give the same trained weights, bit for bit.
 */
export async function trainMlp(
  model: Sequential,
  features: Table,
  targets: Table,
  plan: TrainingPlan,
): Promise<void> {
  const optimizer = new SteerableAdam(plan.learningRate, 0.9, 0.999);
  model.compile({ optimizer, loss: plan.loss });
  const random = new Random(plan.seed);
  const order = Uint32Array.from({ length: features.rows }, (_, row) => row);
  const batches = Math.floor(features.rows / plan.batchSize);

  for (let epoch = 0; epoch < plan.epochs; epoch++) {
    shuffle(order, random);
    let loss = 0;
    for (let batch = 0; batch < batches; batch++) {
      const progress = (epoch + batch / batches) / plan.epochs;
      optimizer.setRate((plan.learningRate * (1 + Math.cos(Math.PI * progress))) / 2);
      const rows = order.subarray(batch * plan.batchSize, (batch + 1) * plan.batchSize);
      const x = toTensor(pickRows(features, rows));
      const y = toTensor(pickRows(targets, rows));
      loss += Number(await model.trainOnBatch(x, y)) / batches;
      tf.dispose([x, y]);
    }
    console.log(`epoch ${epoch + 1} of ${plan.epochs}: loss ${loss.toFixed(4)}`);
  }
}

/** What the network answers to every row. */
export function predict(model: Sequential, features: Table): Table {
  return tf.tidy(() => {
    const output = model.predict(toTensor(features), { batchSize: 512 }) as tf.Tensor2D;
    const values = Float32Array.from(output.dataSync());
    return { rows: output.shape[0], columns: output.shape[1], values };
  });
}

/** The trained weights, layer by layer. */
export function readLayers(model: Sequential, plan: readonly LayerPlan[]): DenseLayer[] {
  return plan.map(({ activation }, i) => {
    const { name } = model.layers[i];
    const [kernel, bias] = model.layers[i]
      .getWeights()
      .map((tensor) => Float32Array.from(tensor.dataSync()));
    return { name, kernel, bias, activation };
  });
}

/** Adam whose learning rate may change on the way; in its base class the rate is not public. */
class SteerableAdam extends tf.AdamOptimizer {
  setRate(rate: number): void {
    this.learningRate = rate;
  }
}

/** Fisher-Yates. */
function shuffle(order: Uint32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

function pickRows(table: Table, rows: Uint32Array): Table {
  const { columns, values } = table;
  const picked = makeTable(rows.length, columns);
  rows.forEach((row, i) => {
    picked.values.set(values.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return picked;
}

function toTensor({ rows, columns, values }: Table): tf.Tensor2D {
  return tf.tensor2d(values, [rows, columns]);
}
