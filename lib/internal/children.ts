/** An object that its owner closes before itself. */
interface Child {
  readonly disposed: boolean;
  dispose(): Promise<void>;
}

/** A native handle that is about to become a child. */
interface Unborn {
  close(): Promise<void>;
}

/** An owner's children. A child that is dropped without dispose can be collected while its owner lives. */
export class Children {
  readonly #born = new Set<WeakRef<Child>>();
  readonly #unborn = new Set<Unborn>();

  /** Adds the child that `open` resolves to. Until then, closing means closing the handle. */
  async open<T extends Child>(handle: Unborn, open: () => Promise<T>): Promise<T> {
    this.#unborn.add(handle);
    try {
      const child = await open();
      this.#adopt(child);
      return child;
    } finally {
      this.#unborn.delete(handle);
    }
  }

  async close(): Promise<void> {
    const born = [...this.#born].map((ref) => ref.deref()?.dispose());
    const unborn = [...this.#unborn].map((handle) => handle.close());
    await Promise.all([...born, ...unborn]);
  }

  #adopt(child: Child): void {
    for (const ref of this.#born) {
      const known = ref.deref();
      if (known === undefined || known.disposed) this.#born.delete(ref);
    }
    this.#born.add(new WeakRef(child));
  }
}
