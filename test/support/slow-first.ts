import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take longest, the longest first. A file that is not here is short. */
const slow = [
  "e2e/stream-models",
  "hw/module-cost",
  "hw/ops-rtl",
  "hw/stream-cost",
  "e2e/precision",
  "e2e/models",
  "hw/mvu",
  "e2e/stream-schedule",
  "hw/design-cost",
  "hw/window",
  "hw/requantize",
  "hw/stream-compute",
  "ops/ops",
  "hw/stream-control",
  "conformance/conformance",
  "hw/matvec",
];

/** Long files first, so that no processor is idle while another still works on one of them at the end. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = slow.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return found < 0 ? slow.length : found;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
