// The theme's buttons carry their scripts in onclick, which the page's policy forbids.
document.addEventListener("click", (event) => {
  const action = event.target.closest("[data-click]")?.dataset.click;
  if (action === "fullscreen") window.toggleFullScreen();
  if (action === "print") window.print();
});

// The keyboard need not stop at code and formulas that are not too wide.
const seen = new IntersectionObserver((entries) => {
  const boxes = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  const fitting = boxes.filter((box) => box.scrollWidth <= box.clientWidth);
  for (const box of fitting) box.removeAttribute("tabindex");
  for (const box of boxes) if (!fitting.includes(box)) box.tabIndex = 0;
});
for (const box of document.querySelectorAll("article [tabindex='0']")) seen.observe(box);
