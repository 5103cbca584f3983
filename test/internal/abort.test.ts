import { abortReason, watchSignal } from "../../lib/internal/abort.js";

test("one listener serves all watchers, each is called once", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const add = jest.spyOn(signal, "addEventListener");
  const watchers = [jest.fn(), jest.fn(), jest.fn()];
  for (const watcher of watchers) watchSignal(signal, watcher);
  expect(add).toHaveBeenCalledTimes(1);
  controller.abort();
  signal.dispatchEvent(new Event("abort"));
  for (const watcher of watchers) expect(watcher).toHaveBeenCalledTimes(1);
});

test("one who stopped watching is not called, and the last removes the listener", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const remove = jest.spyOn(signal, "removeEventListener");
  const [stays, leaves] = [jest.fn(), jest.fn()];
  const unwatchStays = watchSignal(signal, stays);
  const unwatchLeaves = watchSignal(signal, leaves);
  unwatchLeaves();
  unwatchLeaves();
  expect(remove).not.toHaveBeenCalled();
  unwatchStays();
  expect(remove).toHaveBeenCalledTimes(1);
  const again = jest.fn();
  watchSignal(signal, again);
  controller.abort();
  expect([again, stays, leaves].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0]);
});

test("one that leaves while others are called is not called", () => {
  const controller = new AbortController();
  const second = jest.fn();
  watchSignal(controller.signal, () => unwatch());
  const unwatch = watchSignal(controller.signal, second);
  controller.abort();
  expect(second).not.toHaveBeenCalled();
});

test("abortReason is the signal's, or an AbortError where a polyfill has none", () => {
  expect(abortReason(AbortSignal.abort("mine"))).toBe("mine");
  expect(abortReason({ aborted: true } as AbortSignal)).toMatchObject({ name: "AbortError" });
});
