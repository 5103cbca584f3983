import { pictureFiles, pictureUrl } from "./image-input.js";
import { byId, element, iconButton } from "./page-elements.js";

export interface ComposerActs {
  send(text: string, images: readonly string[]): void;
  stop(): void;
  /** Arrow up in the empty box. */
  editLast(): void;
  /** Something to say that went wrong. */
  complain(text: string): void;
}

/** Where the user writes: a text, and pictures. */
export class Composer {
  readonly #acts: ComposerActs;
  readonly #prompt = byId<HTMLTextAreaElement>("prompt");
  readonly #send = byId<HTMLButtonElement>("send");
  readonly #stop = byId<HTMLButtonElement>("stop");
  readonly #pictures = byId<HTMLUListElement>("pictures");
  #images: string[] = [];
  #ready = false;

  constructor(acts: ComposerActs, takesImages: boolean) {
    this.#acts = acts;
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#prompt.addEventListener("input", () => this.#changed());
    this.#prompt.addEventListener("keydown", (event) => this.#key(event));
    this.#stop.addEventListener("click", () => acts.stop());
    if (takesImages) this.#takePictures();
    this.#changed();
  }

  /** @param running whether there is something to stop in place of sending */
  setState(ready: boolean, running: boolean): void {
    this.#ready = ready;
    if (!running && document.activeElement === this.#stop) this.focus();
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    this.#changed();
  }

  focus(): void {
    this.#prompt.focus();
  }

  #changed(): void {
    const empty = this.#prompt.value.trim() === "" && this.#images.length === 0;
    this.#send.disabled = !this.#ready || empty;
    if (CSS.supports("field-sizing", "content")) return;
    this.#prompt.style.height = "auto";
    this.#prompt.style.height = `${this.#prompt.scrollHeight}px`;
  }

  #submit(): void {
    if (this.#send.disabled || this.#send.hidden) return;
    const text = this.#prompt.value.trim();
    const images = this.#images;
    this.#prompt.value = "";
    this.#images = [];
    this.#showPictures();
    this.#acts.send(text, images);
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && this.#prompt.value === "") {
      event.preventDefault();
      this.#acts.editLast();
    }
  }

  #takePictures(): void {
    const input = byId<HTMLInputElement>("picture-file");
    const attach = byId<HTMLButtonElement>("attach");
    attach.hidden = false;
    attach.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void this.#add(input.files ?? []);
      input.value = "";
    });
    this.#prompt.addEventListener("paste", (event) => {
      const files = pictureFiles(event.clipboardData?.files ?? []);
      if (files.length === 0) return;
      event.preventDefault();
      void this.#add(files);
    });
    const body = document.body;
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) body.classList.remove("dropping");
    });
    // Else the browser would show the file in place of the page.
    addEventListener("drop", (event) => {
      body.classList.remove("dropping");
      if (!carriesFiles(event)) return;
      event.preventDefault();
      void this.#add(event.dataTransfer?.files ?? []);
    });
  }

  async #add(files: Iterable<File>): Promise<void> {
    const all = [...files];
    const pictures = pictureFiles(all);
    if (pictures.length < all.length) this.#acts.complain("Only pictures can be sent");
    for (const file of pictures) {
      try {
        this.#images.push(await pictureUrl(file));
      } catch {
        this.#acts.complain(`${file.name} is no picture that this browser can read`);
      }
    }
    this.#showPictures();
    this.focus();
  }

  #showPictures(): void {
    const items = this.#images.map((url, i) => {
      const picture = element("img");
      picture.src = url;
      picture.alt = `Picture ${i + 1}`;
      const remove = iconButton("remove", `Remove picture ${i + 1}`, () => {
        this.#images.splice(i, 1);
        this.#showPictures();
        this.focus();
      });
      return element("li", "", picture, remove);
    });
    this.#pictures.replaceChildren(...items);
    this.#pictures.hidden = items.length === 0;
    this.#changed();
  }
}
