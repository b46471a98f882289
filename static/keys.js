"use strict";
// "/" puts the cursor into the search box of the page, "?" shows the keys of the page, as readers know it elsewhere.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.querySelector("[data-slash]");
  if (event.key === "/" && box) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "?") {
    document.querySelector("[data-keys]")?.togglePopover();
  }
});
