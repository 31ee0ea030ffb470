// In a notebook, or in a page of its own: the workers' script comes along as a text.
function place(root) {
  const address = URL.createObjectURL(new Blob([WORK], { type: "text/javascript" }));
  return new Lab(root, SETTINGS, address);
}
