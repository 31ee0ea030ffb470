// The page's side of a workshop: a worker, or where the page may have none (from file://, or by its
// policy), the page itself, in slices.
class Host {
  // address: of the workshop's script; take: gets its answers; lost: is told when it is gone.
  constructor(address, take, lost) {
    Object.assign(this, { address, take, lost, waiting: new Map(), next: 0, ended: false });
    this.begun = this.begin();
    this.begun.catch((error) => this.lose(error));
  }

  async begin() {
    if (location.protocol === "file:" && !this.address.startsWith("blob:")) return this.beginHere();
    try {
      this.worker = new Worker(this.address);
    } catch {
      return this.beginHere();
    }
    this.early = []; // what was sent before the first answer
    this.worker.onmessage = ({ data }) => { this.early = null; this.hear(data); };
    this.worker.onerror = (event) => (this.early ? this.moveHere() : this.lose(event.message || "it failed"));
    return (message) => { this.early?.push(message); this.worker.postMessage(message); };
  }

  // The page itself does the work.
  async beginHere() {
    const make = await Host.inPage(this.address), safely = (task) => { try { task(); } catch (error) { this.lose(error); } };
    const take = make((answer) => setTimeout(() => this.hear(answer)), (task, pause) => setTimeout(() => safely(task), pause));
    return (message) => safely(() => take(message));
  }

  // The worker did not start (the page may not have one): what it should have done is done here.
  async moveHere() {
    const waiting = this.early;
    this.early = null;
    this.worker.terminate();
    this.worker = undefined;
    this.begun = this.beginHere();
    this.begun.catch((error) => this.lose(error));
    for (const message of waiting) await this.send(message);
  }

  static inPage(address) {
    return (Host.fetched ??= new Promise((done, failed) => {
      const tag = element("script", "", document.head);
      Object.assign(tag, { src: address, onload: () => done(window.liveWorkshop), onerror: () => failed("the script did not load") });
    }));
  }

  hear(answer) {
    if (this.ended) return;
    this.heard = performance.now();
    const waits = this.waiting.get(answer.id);
    if (!waits) { this.take?.(answer); return; }
    this.waiting.delete(answer.id);
    waits(answer.made);
  }

  lose(why) {
    if (this.ended) return;
    this.end();
    this.lost?.(`${why?.message ?? why}`);
  }

  async send(message) {
    const post = await this.begun;
    if (!this.ended) post(message);
  }

  // A message that has an answer of its own.
  ask(message) {
    const id = ++this.next;
    return new Promise((done) => {
      this.waiting.set(id, done);
      this.send({ ...message, id }).catch(() => {});
    });
  }

  end() {
    this.ended = true;
    this.worker ? this.worker.terminate() : this.begun.then((post) => post({ do: "pause" })).catch(() => {});
  }
}
