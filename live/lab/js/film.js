// A film of a canvas, recorded by the browser while it is painted.
const FILMS = ["video/webm;codecs=vp9", "video/webm", "video/mp4"];

// What this browser records; undefined if nothing.
const filmType = () => (HTMLCanvasElement.prototype.captureStream ? FILMS.find((t) => window.MediaRecorder?.isTypeSupported(t)) : undefined);
const filmEnding = ({ type }) => type.slice("video/".length).split(";")[0];

// paint(t) paints the canvas, for t from 0 to 1 in so many seconds. The film rests at its end for a
// fifth of them; it begins when the first picture is in it, which takes a while on a busy machine.
// Returns a blob.
async function recordFilm(canvas, paint, seconds = 5) {
  const type = filmType(), chunks = [], pause = () => new Promise((go) => setTimeout(go, 30));
  const empty = () => chunks.reduce((size, chunk) => size + chunk.size, 0) < 400; // (a head is there at once)
  paint(0);
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: type, videoBitsPerSecond: 3e6 });
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  const ended = new Promise((done) => { recorder.onstop = done; });
  recorder.start(100);
  for (let k = 0; k < 1000 && empty(); k++) { paint(0); await pause(); }
  const start = performance.now();
  for (let t = 0; t < 1.2;) {
    t = (performance.now() - start) / 1000 / seconds;
    paint(Math.min(1, t));
    await pause();
  }
  recorder.stop();
  await ended;
  return new Blob(chunks, { type });
}
