import type { Device } from "../../runtime/index.ts";
import type { InstanceGroup } from "../core/model-config.ts";
import type { DeviceLane } from "../scheduler/lane.ts";

/** A device that the server has opened, and the lane on which models share it. */
export interface ServedDevice {
  readonly device: Device;
  readonly lane: DeviceLane;
}

/** The devices on which a model's instances go: `count` of each group, on the devices that `gpus` numbers. */
export function placeInstances<T>(
  groups: readonly InstanceGroup[] | undefined,
  devices: readonly T[],
): T[] {
  return (groups ?? [{}]).flatMap((group) => {
    const numbers = (group["gpus"] as readonly number[] | undefined) ?? [];
    const chosen =
      numbers.length === 0 ? devices : devices.filter((_, place) => numbers.includes(place));
    const count = Math.max(1, Number(group.count ?? 1));
    return chosen.flatMap((device) => Array.from({ length: count }, () => device));
  });
}
