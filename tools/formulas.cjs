// Sets formulas with MathJax, in Node. In: {mathjax, config, widest, formulas}: of each formula the
// ways to divide it, from coarse to fine, and whether it is displayed.
// Out: {html: [[piece, ...], ...], css}: each in the coarsest way in which no piece is wider than
// `widest`, else in the finest; the stylesheet holds what these formulas need.
const { mathjax, config, widest, formulas } = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.info = console.warn = console.error; // stdout is for the answer

async function main() {
  const paths = { mathjax };
  const loader = { ...config.loader, paths, require };
  const MathJax = await require(`${mathjax}/node-main.js`).init({ ...config, loader });
  const { adaptor, document } = MathJax.startup;
  const [input, output] = [document.inputJax[0], document.outputJax];

  async function set(tex, display) {
    const item = new document.options.MathItem(tex, input, display);
    item.start.node = adaptor.body(document.document);
    item.setMetrics(16, 8, 1e6, 1e6, 1);
    await MathJax._.mathjax.mathjax.handleRetriesFor(() => item.convert(document));
    return { html: adaptor.outerHTML(item.typesetRoot), width: output.getBBox(item, document).w };
  }

  const html = [];
  for (const [divisions, display] of formulas) {
    let pieces = [];
    for (const division of divisions) {
      pieces = [];
      for (const tex of division) pieces.push(await set(tex, display));
      if (pieces.every(({ width }) => width <= widest)) break;
    }
    html.push(pieces.map((piece) => piece.html));
  }
  const css = adaptor.textContent(MathJax.chtmlStylesheet());
  process.stdout.write(JSON.stringify({ html, css }));
}

main();
