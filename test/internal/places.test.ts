import { deferred } from "../../lib/internal/deferred.js";
import { Places } from "../../lib/internal/places.js";

test("so many at a time, in their order, whatever becomes of them", async () => {
  const places = new Places(2);
  const works = Array.from({ length: 5 }, () => deferred<number>());
  const begun: number[] = [];
  const ends = works.map(({ promise }, index) =>
    places.in(() => {
      begun.push(index);
      return promise;
    }),
  );
  ends[1]?.catch(() => {});
  expect(begun).toEqual([0, 1]);
  works[1]?.reject(new Error("no"));
  await expect(ends[1]).rejects.toThrow("no");
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  for (const [index, work] of works.entries()) work.resolve(index);
  expect(await Promise.allSettled(ends)).toHaveLength(5);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await places.in(async () => "free")).toBe("free");
});

test("whoever is aborted while it waits leaves the queue, and its place to others", async () => {
  const places = new Places(1);
  const first = deferred<void>();
  const running = places.in(() => first.promise);
  const stop = new AbortController();
  const begun: string[] = [];
  const gone = places.in(async () => begun.push("gone"), stop.signal);
  const last = places.in(async () => begun.push("last"));
  stop.abort("enough");
  await expect(gone).rejects.toBe("enough");
  // One that is aborted when its turn has just come hands it on, too.
  const late = new AbortController();
  const second = places.in(async () => begun.push("late"), late.signal);
  second.catch(() => {});
  first.resolve();
  await running;
  await last;
  late.abort("too late");
  await Promise.allSettled([second]);
  expect(await places.in(async () => "free")).toBe("free");
  expect(begun).not.toContain("gone");
  expect(begun[0]).toBe("last");
});
