// The page's side of a workshop: a worker, or where the page may have none (from file://, or by its
// policy), the page itself, in slices.
class Host {
  // address: of the workshop's script; take: gets its answers; lost: is told when it is gone;
  // patience: how many seconds it may owe an answer (three times as many at its start).
  constructor(address, take, lost, patience = 6) {
    Object.assign(this, { address, take, lost, patience, waiting: new Map(), next: 0, ended: false, owes: false, silence: 0 });
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
    const post = await this.begun; // (before anyone who sends from now on)
    if (!this.ended) waiting.forEach(post);
  }

  static inPage(address) {
    return (Host.fetched ??= new Promise((done, failed) => {
      const tag = element("script", "", document.head);
      Object.assign(tag, { src: address, onload: () => done(window.liveWorkshop), onerror: () => failed("the script did not load") });
    }));
  }

  hear(answer) {
    if (this.ended) return;
    const waits = this.waiting.get(answer.id);
    Object.assign(this, { silence: 0, spoke: true, owes: this.waiting.size > (waits ? 1 : 0) });
    if (!waits) { this.take?.(answer); return; }
    this.waiting.delete(answer.id);
    waits(answer.made);
  }

  lose(why) {
    if (this.ended) return;
    this.end();
    this.lost?.(`${why?.message ?? why}`);
  }

  // To be called once a second: counts its silence, where it owes an answer. (A page that slept,
  // or was busy itself, counts less.)
  watch() {
    this.silence = this.owes ? this.silence + 1 : 0;
    if (this.silence > this.patience * (this.spoke ? 1 : 3)) this.lose("it did not answer");
  }

  async send(message) {
    this.owes = true;
    const post = await this.begun;
    if (!this.ended) post(message);
  }

  // A message that has an answer of its own. lasting: should this host be lost, the answer is due
  // from the one that comes after it.
  ask(message, lasting = false) {
    const id = ++this.next;
    return new Promise((done) => {
      if (lasting) done.message = message;
      this.waiting.set(id, done);
      this.send({ ...message, id }).catch(() => {});
    });
  }

  // To another host: what is still to be answered, and should last.
  handOver(other) {
    for (const done of this.waiting.values()) if (done.message) other.ask(done.message, true).then(done);
    this.waiting.clear();
  }

  end() {
    this.ended = true;
    this.worker ? this.worker.terminate() : this.begun.then((post) => post({ do: "pause" })).catch(() => {});
  }
}
