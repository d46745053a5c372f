import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fail } from "../../../src/base/index.ts";
import { cached, cacheFolder, contentKey } from "../../../src/tools/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";

let cache: string;
beforeEach(() => {
  cache = join(temporaryFolder(), "deep", "cache");
  vi.stubEnv("N2F_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const note = (text: string) => async (folder: string) => writeFileSync(join(folder, "note"), text);

describe("cacheFolder", () => {
  it("is where N2F_CACHE says, else in the user's cache", () => {
    expect(cacheFolder()).toBe(cache);
    vi.stubEnv("N2F_CACHE", "");
    vi.stubEnv("XDG_CACHE_HOME", "/somewhere");
    expect(cacheFolder()).toBe("/somewhere/nn2fpga");
    vi.stubEnv("XDG_CACHE_HOME", "");
    expect(cacheFolder()).toMatch(/\/\.cache\/nn2fpga$/);
  });
});

describe("contentKey", () => {
  it("knows where one part ends and the next begins", () => {
    const keys = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""]].map(contentKey);
    expect(new Set(keys).size).toBe(4);
    expect(contentKey(["a", Buffer.from("b")])).toBe(contentKey(["a", "b"]));
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("cached", () => {
  it("builds once", async () => {
    expect(await cached("k", note("one"))).toEqual({ folder: join(cache, "k"), wasBuilt: true });
    expect(await cached("k", note("two"))).toEqual({ folder: join(cache, "k"), wasBuilt: false });
    expect(readFileSync(join(cache, "k", "note"), "utf8")).toBe("one");
    expect(readdirSync(cache)).toEqual(["k"]);
  });

  it("builds once for all who ask at the same time", async () => {
    const build = vi.fn(note("one"));
    const builds = await Promise.all([1, 2, 3].map(() => cached("k", build)));
    expect(build).toHaveBeenCalledOnce();
    expect(new Set(builds.map(({ folder }) => folder))).toEqual(new Set([join(cache, "k")]));
  });

  it("takes another process's build that was ready first", async () => {
    const { folder } = await cached("k", async (work) => {
      await note("ours")(work);
      mkdirSync(join(cache, "k"));
      writeFileSync(join(cache, "k", "note"), "theirs");
    });
    expect(readFileSync(join(folder, "note"), "utf8")).toBe("theirs");
    expect(readdirSync(cache)).toEqual(["k"]);
  });

  it("keeps nothing of a build that failed, and tries again the next time", async () => {
    const broken = cached("k", async (work) => {
      await note("half")(work);
      fail("N2F_TOOL_FAILED", "no");
    });
    await expect(broken).rejects.toThrow("N2F_TOOL_FAILED: no");
    expect(readdirSync(cache)).toEqual([]);
    expect((await cached("k", note("whole"))).wasBuilt).toBe(true);
  });

  it("clears away what was cut off long ago, but not what may be under way", async () => {
    mkdirSync(join(cache, "old.12345678.tmp"), { recursive: true });
    mkdirSync(join(cache, "new.12345678.tmp"));
    const twoDaysAgo = Date.now() / 1000 - 2 * 86400;
    utimesSync(join(cache, "old.12345678.tmp"), twoDaysAgo, twoDaysAgo);
    await cached("k", note("one"));
    expect(readdirSync(cache).sort()).toEqual(["k", "new.12345678.tmp"]);
  });

  it("says what to do where it cannot write", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    vi.stubEnv("N2F_CACHE", join(file, "cache"));
    await expect(cached("k", note("one"))).rejects.toThrow(
      /N2F_FILE_WRITE: the cache cannot be written[\s\S]*hint: Set N2F_CACHE/,
    );
    expect(existsSync(join(file, "cache"))).toBe(false);
  });
});
