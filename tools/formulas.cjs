// Sets formulas with MathJax, in Node. In: {mathjax, config, formulas: [[tex, display], ...]}.
// Out: {html: [...], css}, where the stylesheet holds what these formulas need.
const { mathjax, config, formulas } = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.info = console.warn = console.error; // stdout is for the answer

async function main() {
  const paths = { mathjax };
  const loader = { ...config.loader, paths, require };
  const MathJax = await require(`${mathjax}/node-main.js`).init({ ...config, loader });
  const { adaptor } = MathJax.startup;
  const html = [];
  for (const [tex, display] of formulas) {
    html.push(adaptor.outerHTML(await MathJax.tex2chtmlPromise(tex, { display })));
  }
  const css = adaptor.textContent(MathJax.chtmlStylesheet());
  process.stdout.write(JSON.stringify({ html, css }));
}

main();
