// What Sphinx's search finds, shown: its index holds sections here (tools/found.py), whose text comes
// with it. So nothing else is fetched, and the site can be searched without a server.
if (typeof Search !== "undefined" && document.getElementById("search-results")) {
  Search.htmlToText = (text) => text;

  const placeOf = (name, anchor) => {
    const [page, section] = name.split("#");
    return { page, anchor: anchor || (section ? `#${section}` : "") };
  };

  // One entry a section, the best first, of all that Sphinx holds for an answer.
  const bestFirst = (results) => {
    const seen = new Set();
    return [...results].reverse().filter(([name, , anchor]) => {
      const key = name + anchor;
      return !seen.has(key) && seen.add(key);
    });
  };

  // Sphinx cuts an excerpt anywhere and sets three dots there; a formula is three dots as well.
  const wholeWords = (excerpt) => {
    excerpt.textContent = excerpt.textContent
      .replace(/^\.{3}\S*[\s.,;:…]+/, "… ")
      .replace(/[\s.,;:…]+\S*\.{3}$/, " …");
    return excerpt;
  };

  const show = (result, searchTerms, highlightTerms) => {
    const [name, , anchor] = result;
    const index = Search._index.docnames.indexOf(name);
    const { page, anchor: target } = placeOf(name, anchor);
    const item = Search.output.appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    const words = new URLSearchParams({ highlight: [...highlightTerms].join(" ") });
    link.href = `${page}${DOCUMENTATION_OPTIONS.LINK_SUFFIX}?${words}${target}`;
    link.textContent = Search._index.titles[index];
    const chapter = Search._index.pages[page];
    if (chapter !== link.textContent) {
      const where = item.appendChild(document.createElement("span"));
      where.className = "search-where";
      where.textContent = chapter;
    }
    const text = Search._index.texts[index] ?? "", lower = text.toLowerCase();
    // Where no word stands in the text (it is in the title, or another word for it), from its start.
    const there = [...searchTerms].filter((term) => lower.includes(term.toLowerCase()));
    const excerpt = text && Search.makeSearchSummary(text, there.length ? there : [""], "");
    if (excerpt) item.appendChild(wholeWords(excerpt));
    for (const term of highlightTerms) _highlightText(item, term, "highlighted");
  };

  Search.query = (query) => {
    const parsed = Search._parseQuery(query);
    localStorage.removeItem("sphinx_highlight_terms"); // the links carry the words
    const [, searchTerms, , highlightTerms] = parsed;
    const results = bestFirst(Search._performSearch(...parsed));
    for (const result of results) show(result, searchTerms, highlightTerms);
    Search.stopPulse();
    Search.title.innerText = "Search results";
    Search.status.innerText = results.length
      ? `${results.length} section${results.length === 1 ? "" : "s"} found.`
      : "Nothing found. Another word, or a shorter one, may do.";
  };
}
